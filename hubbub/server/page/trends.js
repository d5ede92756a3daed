// The trends tab: what is rising, each with a quote of a living post; looked at anew while the tab is open.

import { askNow } from "./ask.js";
import { find, make } from "./dom.js";
import { isGone, track } from "./living.js";
import { openPanel } from "./panel.js";
import { ago, byline, whyGone, withdraw } from "./post.js";
import { register, visit } from "./route.js";
import { slicePoints } from "./spans.js";
import { getJson } from "./sse.js";
import { openTab } from "./tabs.js";
import { sparkline } from "./timeline.js";
import { count, number, say } from "./words.js";

const AGAIN_MS = 20000;
let current = null;
let told = "";

export function startTrends() {
  register("trends", () => openTab("trends"));
  document.addEventListener("opentab", (event) => { if (event.detail === "trends") load(); });
  setInterval(() => {
    const list = find("rising");
    const isRead = list.contains(document.activeElement) || list.querySelector(":hover, [aria-expanded=true]");
    if (document.body.dataset.view === "trends" && !document.hidden && !isRead) load();
  }, AGAIN_MS);
}

async function load() {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  const status = find("trends-count");
  try {
    const { trends, is_complete: isComplete } = await getJson("/api/trends", {}, controller.signal);
    const living = trends.filter((trend) => !isGone(trend.headline.post));
    const now = JSON.stringify(living);
    if (now !== told || find("rising").querySelector(".withdrawn")) find("rising").replaceChildren(...living.map(row));
    told = now;
    status.textContent = living.length ? "" : say(isComplete ? "no_trends" : "trends_absent");
  } catch (failure) {
    if (controller.signal.aborted) return;
    told = "";
    find("rising").replaceChildren();
    status.textContent = say("ask_failed", { why: failure.message });
  }
}

function row(trend) {
  const { headline, label, terms, curve = [] } = trend;
  const facts = make("p", { class: "count trend-facts" }, make("span", { class: "voices" }, count(trend.num_voices, "voice_one", "voices")), ", ",
    count(trend.num_posts, "post_one", "posts"), ", ", say("rising_since"), " ", ago(trend.first_seen_us));
  const head = make("div", { class: "trend-head" }, make("div", {}, make("h3", { class: "label" }, make("bdi", {}, label)), facts),
    curve.length ? sparkline(curve) : null);
  const text = make("p", { class: "text", dir: "auto" }, headline.quote);
  const button = make("button", { class: "open", "aria-expanded": "false", onclick: () => openPanel(button, headline.post, [[headline.start, headline.end]]) }, byline(headline, headline.time_us), text);
  const onward = make("p", { class: "trend-onward" },
    make("button", { class: "quiet", "aria-label": `${say("ask_about")}: ${label}`, onclick: () => askNow(say("ask_about_what", { what: label })) }, say("ask_about")),
    make("button", { class: "quiet", "aria-label": `${say("search_for")}: ${label}`, onclick: () => visit({ search: queryOf(terms) }) }, say("search_for")),
    trend.more?.length ? make("span", { class: "note" }, say("trend_more", { n: number(trend.num_posts - 1) })) : null);
  const element = make("li", { class: "item trend" }, head, button, onward);
  track(element, headline.post, headline.author, (now, reason) => {
    if (now === null) withdraw(element, whyGone(reason));
    else if (slicePoints(now.text, headline.start, headline.end) !== headline.quote) withdraw(element, say("withdrawn_changed"));
  });
  return element;
}

// The steepest term says it best; a pair of words is looked for as a pair.
const queryOf = ([first]) => (first.includes(" ") ? `"${first.replaceAll('"', "")}"` : first);
