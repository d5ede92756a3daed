// The trends tab: what is rising, each with a quote of a living post; asked anew whenever the tab is opened.

import { find, make } from "./dom.js";
import { isGone, track } from "./living.js";
import { openPanel } from "./panel.js";
import { ago, byline, whyGone, withdraw } from "./post.js";
import { getJson } from "./sse.js";
import { count, say } from "./words.js";

let current = null;

export function startTrends() {
  document.addEventListener("opentab", (event) => { if (event.detail === "trends") load(); });
}

async function load() {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  const status = find("trends-count");
  try {
    const { trends, is_complete } = await getJson("/api/trends", {}, controller.signal);
    const living = trends.filter((trend) => !isGone(trend.headline.post));
    find("rising").replaceChildren(...living.map(row));
    status.textContent = living.length ? "" : say(is_complete ? "no_trends" : "trends_absent");
  } catch (failure) {
    if (controller.signal.aborted) return;
    find("rising").replaceChildren();
    status.textContent = say("ask_failed", { why: failure.message });
  }
}

function row(trend) {
  const { headline } = trend;
  const label = make("h3", { class: "label" }, make("bdi", {}, trend.label));
  const voices = make("p", { class: "count" }, count(trend.num_voices, "voice_one", "voices"), ", ", count(trend.num_posts, "post_one", "posts"), ", ", say("rising_since"), " ", ago(trend.first_seen_us));
  const text = make("p", { class: "text", dir: "auto" }, headline.quote);
  const button = make("button", { class: "open", "aria-expanded": "false", onclick: () => openPanel(button, headline.post) }, byline(headline, headline.time_us), text);
  const element = make("li", { class: "item" }, label, voices, button);
  track(element, headline.post, headline.author, (now, reason) => {
    if (now === null) withdraw(element, whyGone(reason));
    else if ([...now.text].slice(headline.start, headline.end).join("") !== headline.quote) withdraw(element, say("withdrawn_changed"));
  });
  return element;
}
