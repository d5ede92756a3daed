// The live column: posts as they arrive, newest on top; it holds still while somebody reads or has paused it.

import { find, make } from "./dom.js";
import { deletePost, isGone, recheck, recheckAuthor, recheckPost } from "./living.js";
import { ago } from "./post.js";
import { postRow } from "./row.js";
import { getJson, readEvents } from "./sse.js";
import { moment, setClock } from "./time.js";
import { count, number, say } from "./words.js";

const MAX_SHOWN = 60;
const MAX_WAITING = 200;
const FAREWELL_MS = 8000; // how long the place of a deleted post stays
const MAX_PAUSE_MS = 15000;

let waiting = []; // posts not yet shown, oldest first
let isPaused = false;
let leftOut = 0;
let controller = null;

export function startLive() {
  find("pause").addEventListener("click", () => {
    isPaused = !isPaused;
    find("pause").setAttribute("aria-pressed", String(isPaused));
    find("pause").textContent = say(isPaused ? "resume" : "pause");
    flush();
  });
  find("more").addEventListener("click", () => {
    find("stream").scrollTop = 0;
    find("stream").focus();
    flush(true);
  });
  find("stream").addEventListener("scroll", () => flush(), { passive: true });
}

// Fills the column with what is there already, so that it is not empty until the next post.
export async function showNewest() {
  const { hits, clock_us: clock } = await getJson("/api/search", { sort: "time", limit: 100 });
  setClock(clock);
  const posts = hits.map((hit) => hit.post);
  for (const post of posts.slice(0, MAX_SHOWN / 2).reverse()) push(post);
  return posts;
}

export function stopListening() {
  controller?.abort();
}

// Listens until told to stop; after every interruption everything shown is looked at again.
export async function listen() {
  controller?.abort();
  const mine = new AbortController();
  controller = mine;
  for (let pause = 500; !mine.signal.aborted; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    try {
      for await (const { name, data } of readEvents("/api/live", {}, mine.signal)) {
        if (pause !== 250) await recheck();
        pause = 250;
        hear(name, data);
      }
    } catch (failure) {
      if (mine.signal.aborted) return;
    }
    if (mine.signal.aborted) return;
    showHealth(null);
    await new Promise((resume) => setTimeout(resume, pause));
  }
}

function hear(name, data) {
  if (name === "post") push(data);
  else if (name === "deletion") deletePost(data.id);
  else if (name === "edit") for (const id of new Set([data.post, data.replaces])) recheckPost(id).catch(() => {});
  else if (name === "account" || name === "consent") recheckAuthor(data.author).catch(() => {});
  else if (name === "recheck") recheck().catch(() => {});
  else if (name === "left_out") leftOut += data.num_posts;
  else if (name === "status") showHealth(data);
}

function push(post) {
  if (isGone(post.id) || !post.text) return;
  document.dispatchEvent(new CustomEvent("arrival", { detail: post }));
  waiting.push(post);
  if (waiting.length > MAX_WAITING) leftOut += waiting.splice(0, waiting.length - MAX_WAITING).length;
  flush();
}

// Shows what waits, unless that would move what somebody reads.
function flush(isAsked = false) {
  const stream = find("stream");
  const isRead = stream.scrollTop > 8 || (stream.contains(document.activeElement) && document.activeElement !== stream);
  if (isAsked || !(isPaused || isRead)) {
    for (const post of waiting) if (!isGone(post.id)) stream.prepend(postRow(post, { cls: "item arriving", onGone: leave }));
    waiting = [];
    while (stream.childElementCount > MAX_SHOWN) stream.lastElementChild.remove();
  }
  const more = find("more");
  more.hidden = waiting.length === 0;
  if (waiting.length) more.textContent = count(waiting.length, "more_one", "more");
}

const leave = (element) => setTimeout(() => element.remove(), FAREWELL_MS);

function showHealth(status) {
  find("dot").className = "dot " + (status === null ? "off" : status.error ? "bad" : "on");
  if (status === null) {
    find("health-text").textContent = say("lost");
    return;
  }
  setClock(status.clock_us);
  const extra = [];
  if (status.lag_ms !== null) extra.push(say("lag", { ms: number(Math.round(status.lag_ms)) }));
  if (status.is_replay) extra.push(say("replay_clock", { time: moment(status.clock_us) }));
  const dot = " \u00b7 ";
  find("health-text").replaceChildren(count(status.num_posts, "post_one", "posts") + dot + say("rate", { n: number(status.posts_per_s) }),
    make("span", { class: "extra" }, extra.map((part) => dot + part).join("")));
  showBanner(status);
  showFoot(status);
}

function showBanner(status) {
  let text = "";
  if (status.error) text = say("failed", { why: status.error });
  else if (status.is_invented) text = say("invented");
  else if (status.is_replay) text = say("replayed", { time: moment(status.clock_us) });
  const banner = find("banner");
  banner.hidden = text === "";
  document.body.classList.toggle("has-banner", text !== "");
  if (banner.textContent !== text) banner.textContent = text;
}

function showFoot(status) {
  const parts = [];
  if (find("stream").childElementCount === 0 && waiting.length === 0) parts.push(say("nothing_yet"));
  if (leftOut) parts.push(say("left_out", { n: number(leftOut) }));
  find("live-foot").replaceChildren(parts.join(" "));
  if (status.last_deletion_us) {
    const [before, after] = say("last_deletion", { age: "\u0000" }).split("\u0000");
    find("live-foot").append(parts.length ? " " : "", before, ago(status.last_deletion_us), after);
  }
}
