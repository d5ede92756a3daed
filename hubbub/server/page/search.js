// The search tab: the query syntax, a list of living posts.

import { find, make } from "./dom.js";
import { isGone, track } from "./living.js";
import { openPanel } from "./panel.js";
import { byline, textOf, whyGone, withdraw } from "./post.js";
import { getJson } from "./sse.js";
import { count, number, say } from "./words.js";

const LIMIT = 30;
let current = null;

export function startSearch() {
  find("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  for (const choice of document.querySelectorAll("input[name=sort]")) {
    choice.addEventListener("change", () => { if (find("results").childElementCount) search(); });
  }
}

async function search() {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  const sort = document.querySelector("input[name=sort]:checked").value;
  const status = find("search-count");
  try {
    const found = await getJson("/api/search", { q: find("query").value, sort, limit: LIMIT }, controller.signal);
    const hits = found.hits.filter((hit) => !isGone(hit.post.id));
    find("results").replaceChildren(...hits.map((hit) => row(hit.post)));
    const posts = count(hits.length, "post_one", "posts");
    const key = hits.length === LIMIT ? "hits_at_most" : "hits";
    status.textContent = hits.length ? say(key, { posts, ms: number(found.took_ms) }) : say("no_hits");
  } catch (failure) {
    if (controller.signal.aborted) return;
    find("results").replaceChildren();
    status.textContent = say("ask_failed", { why: failure.message });
  }
}

function row(post) {
  let text = textOf(post);
  const button = make("button", { class: "open", "aria-expanded": "false", onclick: () => openPanel(button, post.id) }, byline(post, post.received_us), text);
  const element = make("li", { class: "item" }, button);
  track(element, post.id, post.author, (now, reason) => {
    if (now === null) return withdraw(element, whyGone(reason));
    const fresh = textOf(now);
    text.replaceWith(fresh);
    text = fresh;
  });
  return element;
}
