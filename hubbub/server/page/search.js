// The search tab: the query syntax, living posts page by page, what narrows them, a summary on request.

import { AnswerView } from "./answer.js";
import { announce, find, make } from "./dom.js";
import { facets, filterChips } from "./facets.js";
import { isGone } from "./living.js";
import { register, visit } from "./route.js";
import { postRow } from "./row.js";
import { getInTurn, getJson } from "./sse.js";
import { openTab } from "./tabs.js";
import { setClock } from "./time.js";
import { count, number, say } from "./words.js";

const LIMIT = 20;
const DEEPEST = 500; // the house pages no deeper
const SOON_MS = 300;
const SELDOM_MS = 1000; // between two counts anew, however many posts die
let current = null; // AbortController of what is being looked for
let recount = 0; // the timer of the next count
let counted = { at: -Infinity, text: "" };
let isStale = false; // something has died or changed since it was counted
let shown = null; // {query, sort, cursor, number} of the posts that are listed

export function startSearch() {
  find("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    shown = null;
    go(find("query").value);
  });
  for (const choice of document.querySelectorAll("input[name=sort]")) choice.addEventListener("change", () => go(find("query").value));
  find("next").addEventListener("click", showMore);
  find("sum-up").addEventListener("click", sumUp);
  document.addEventListener("loss", () => { isStale = true; countSoon(); });
  document.addEventListener("opentab", countSoon);
  register("search", ({ search: query = "", sort }) => {
    openTab("search");
    const wanted = sort === "time" ? "time" : "relevance";
    if (shown?.query === query && shown.sort === wanted) return; // as it was left
    find("query").value = query;
    document.querySelector(`input[name=sort][value=${wanted}]`).checked = true;
    search(query, wanted);
  });
}

function go(query) {
  const sort = document.querySelector("input[name=sort]:checked").value;
  visit({ search: query.trim(), sort: sort === "time" ? sort : null });
}

function ask(parameters) {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  return getJson("/api/find", { limit: LIMIT, ...parameters }, controller.signal)
    .catch((failure) => { if (!controller.signal.aborted) throw failure; return null; });
}

async function search(query, sort) {
  shown = { query, sort, cursor: null, number: 0 };
  find("results").setAttribute("aria-busy", "true");
  find("summary").replaceChildren();
  find("next").hidden = true;
  find("filters").replaceChildren(...[filterChips(query, go)].filter((each) => each));
  try {
    const found = await ask(parametersOf(shown));
    if (!found) return;
    setClock(found.clock_us);
    find("results").replaceChildren();
    showFacets(found);
    list(found);
    suggest(found.did_you_mean);
    tell(shown.number ? `${say("hits_first", { posts: posts(shown.number) })} \u00b7 ${say("hits_took", { ms: number(found.took_ms) })}` : say("no_hits"), !shown.number);
  } catch (failure) {
    shown = null;
    suggest("");
    for (const id of ["results", "facets"]) find(id).replaceChildren();
    tell(say("ask_failed", { why: failure.message }), true);
  }
  find("results").setAttribute("aria-busy", "false");
}

// A search with words that stand in no post finds what is like it; what may have been meant is offered beside it.
function suggest(text) {
  const offer = find("search-meant");
  offer.hidden = !text;
  if (!text) return offer.replaceChildren();
  const link = document.createElement("button");
  link.type = "button";
  link.className = "quiet";
  link.textContent = text;
  link.addEventListener("click", () => go(text));
  offer.replaceChildren(say("did_you_mean"), " ", link);
}

// Names and tags beside the results are posts' own words as well: they go with the last post that has them.
function countSoon() {
  if (!isStale || recount || !shown || document.body.dataset.view !== "search" || document.hidden) return;
  recount = setTimeout(async () => {
    recount = 0;
    isStale = false;
    const mine = shown;
    const found = mine && await getJson("/api/find", { ...parametersOf(mine), limit: 1 }).catch(() => null);
    if (found && shown === mine) showFacets(found);
  }, Math.max(SOON_MS, SELDOM_MS - (performance.now() - counted.at)));
}

function showFacets(found) {
  const text = JSON.stringify([found.facets, found.timeline, shown.query]);
  const isSame = text === counted.text;
  counted = { at: performance.now(), text };
  if (isSame && find("facets").childElementCount) return;
  const focused = find("facets").contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  find("facets").replaceChildren(...facets(found, shown.query, go));
  if (focused) find("facets").querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
}

// Says how a search went; where it found nothing there is nothing to sort or to sum up.
function tell(text, isNothing) {
  const status = find("search-count");
  status.textContent = text;
  status.classList.toggle("nothing", isNothing);
  for (const id of ["sort", "sum-up"]) find(id).hidden = isNothing;
}

const posts = (n) => count(n, "post_one", "posts");
const parametersOf = ({ query, sort }) => (query ? { q: query, sort } : { sort: "time" });

function list(found) {
  const living = found.data.filter(({ post }) => !isGone(post.id));
  find("results").append(...living.map(({ post, highlights }) => postRow(post, { spans: highlights.map(({ start, end }) => [start, end]) })));
  shown.number += living.length;
  shown.cursor = found.next_cursor;
  const next = find("next");
  next.hidden = !found.has_more;
  next.textContent = say("more_hits");
  const end = found.has_more || shown.number <= LIMIT ? "" : shown.number >= DEEPEST ? say("deepest", { n: number(DEEPEST) }) : say("all_hits", { posts: posts(shown.number) });
  find("search-end").textContent = end;
}

async function showMore() {
  const mine = shown;
  const next = find("next");
  if (!mine?.cursor || next.getAttribute("aria-busy") === "true") return;
  next.setAttribute("aria-busy", "true");
  next.textContent = say("more_loading");
  try {
    const found = await ask({ ...parametersOf(mine), cursor: mine.cursor });
    if (!found || shown !== mine) return;
    list(found);
    find("search-count").textContent = say("hits_first", { posts: posts(mine.number) });
    announce(say("hits_first", { posts: posts(mine.number) }));
  } catch (failure) {
    next.textContent = say("more_hits");
    announce(say("ask_failed", { why: failure.message }));
    find("search-end").textContent = say("ask_failed", { why: failure.message });
  } finally {
    next.setAttribute("aria-busy", "false");
  }
}

async function sumUp() {
  const mine = shown;
  const box = make("div", { class: "answer" });
  const view = new AnswerView(box, null, { askAgain: sumUp });
  view.state.lastChild.textContent = say("summing_up");
  find("sum-up").disabled = true;
  find("summary").replaceChildren(make("h2", { class: "summary-head" }, say("summary_head")), box);
  try {
    const { summary } = await getInTurn("/api/find", { ...parametersOf(mine), limit: 1, summary: true });
    if (shown !== mine) return;
    if (!summary?.sentences.length) return view.fail(say("nothing_to_sum"));
    for (const sentence of summary.sentences) view.sentence(sentence);
    view.done(summary);
  } catch (failure) {
    view.fail(say("ask_failed", { why: failure.message }));
  } finally {
    find("sum-up").disabled = false;
  }
}
