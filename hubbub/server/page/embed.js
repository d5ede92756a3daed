// The framed page: one question's answer, its quotes struck out live, asked anew when its watch has ended.

import { AnswerView } from "./answer.js";
import { find, make } from "./dom.js";
import { recheck, recheckPost, track } from "./living.js";
import { ago, nameOf, refreshAges } from "./post.js";
import { readEvents } from "./sse.js";
import { applyTheme } from "./theme.js";
import { setClock } from "./time.js";
import { say, translatePage } from "./words.js";

const REST_AFTER_MS = 30000; // who looks elsewhere for so long needs no open stream
const SHORTEST_MS = 1000;
const LONGEST_MS = 60000;
const AGES_MS = 5000;
const wanted = new URLSearchParams(location.search);
const question = (wanted.get("q") ?? "").slice(0, 2000).trim();
let controller = null;
let listed = new Set();

translatePage();
applyTheme(wanted);
tellHeight();
find("home").href = question ? `/#ask=${encodeURIComponent(question)}` : "/";
setInterval(refreshAges, AGES_MS);
document.addEventListener("clock", refreshAges);
if (question) start();
else find("answer").replaceChildren(make("p", { class: "why" }, say("embed_none")));

// Asks while somebody can see it: a frame far down a page costs nothing until it is scrolled to.
function start() {
  let resting = 0;
  let isSeen = false;
  const look = () => {
    clearTimeout(resting);
    const isWatched = isSeen && !document.hidden;
    if (isWatched && controller === null) listen();
    else if (!isWatched) resting = setTimeout(rest, REST_AFTER_MS);
  };
  new IntersectionObserver((entries) => { isSeen = entries.at(-1).isIntersecting; look(); }).observe(find("frame"));
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", look);
}

// Nobody looks: what stands there must not outlive its posts, so it goes when it can no longer be watched.
function rest() {
  controller?.abort();
  controller = null;
  clear();
}

function clear() {
  find("answer").replaceChildren();
  find("sources").hidden = true;
}

async function listen() {
  const mine = new AbortController();
  controller = mine;
  for (let pause = SHORTEST_MS; !mine.signal.aborted; pause = Math.min(pause * 2, LONGEST_MS)) {
    let wait = pause;
    try {
      if (await answer(mine.signal)) wait = pause = SHORTEST_MS;
    } catch (failure) {
      if (mine.signal.aborted) return;
      if (failure.status === 400) return find("answer").replaceChildren(make("p", { class: "why" }, say("ask_failed", { why: failure.message })));
      wait = Math.max(wait, (failure.retryAfter ?? 0) * 1000) * (0.5 + Math.random()); // else all come again at once
    }
    if (mine.signal.aborted) return;
    find("lost").hidden = false;
    await new Promise((resume) => setTimeout(resume, wait));
    await recheck().catch(() => {}); // what died while nobody told
  }
}

// Shows an answer until its stream ends; true if it came to its end.
async function answer(signal) {
  let view = null;
  let isDone = false;
  for await (const { name, data } of readEvents("/api/ask", { q: question }, signal)) {
    find("lost").hidden = true;
    if (view === null) {
      find("source-list").replaceChildren();
      find("sources").hidden = true;
      listed = new Set();
      view = new AnswerView(find("answer"), question, { open });
    }
    if (name === "sentence") show(view, data.sentence);
    else if (name === "retraction") view.retraction(data.sentence, data.post);
    else if (name === "gone") recheckPost(data.post).catch(() => {});
    else if (name === "error") view.fail(say("ask_failed", { why: data.error.message }));
    else if (name === "done") {
      setClock(data.answer.asked_us); // which in a replay is not the wall's
      view.done(data.answer);
    }
    isDone ||= name === "done";
  }
  return isDone;
}

function show(view, sentence) {
  view.sentence(sentence);
  for (const citation of sentence.citations) if (view.numbers.has(citation.post) && !listed.has(citation.post)) list(citation, view.numbers.get(citation.post));
}

function list(citation, number) {
  listed.add(citation.post);
  const name = make("bdi", {}, citation.handle ? `@${citation.handle}` : nameOf(citation));
  const who = citation.url ? make("a", { href: citation.url, target: "_blank", rel: "nofollow noopener noreferrer ugc" }, name) : name;
  const item = make("li", { id: `source-${number}` }, make("span", { class: "cite" }, String(number)), who, ago(citation.time_us));
  find("source-list").append(item);
  find("sources").hidden = false;
  track(item, citation.post, citation.author, (post) => { if (post === null) item.remove(); });
}

// A click on a quote's number leads to its source in the list.
function open(button, post, spans, number) {
  for (const each of find("source-list").children) each.classList.toggle("shown", each.id === `source-${number}`);
  const item = find(`source-${number}`);
  item?.scrollIntoView({ block: "nearest" });
  item?.querySelector("a")?.focus({ preventScroll: true });
}

// The page around it is told how high the frame needs to be, and nothing else; only the site that was allowed hears it.
function tellHeight() {
  const parentOrigin = wanted.get("origin");
  if (parent === window || !parentOrigin) return;
  const tell = () => {
    try {
      parent.postMessage({ hubbub: "height", height: Math.ceil(find("frame").getBoundingClientRect().height) }, parentOrigin);
    } catch {
      // not an origin
    }
  };
  new ResizeObserver(tell).observe(find("frame"));
}
