// The opened post, beside the answer: its whole text with the quoted spans marked.

import { announce, find, make } from "./dom.js";
import { track } from "./living.js";
import { byline, fillText, textOf, whyGone } from "./post.js";
import { addressOf } from "./route.js";
import { getJson } from "./sse.js";
import { fullMoment, isoMoment } from "./time.js";
import { say } from "./words.js";

const LONG = 20000; // code points; more is no post that a person reads
const narrow = window.matchMedia("(max-width: 899px)");
let opener = null;

export function closePanel() {
  const from = opener;
  opener = null;
  for (const pressed of document.querySelectorAll("[aria-expanded=true]")) pressed.setAttribute("aria-expanded", "false");
  const panel = find("panel");
  if (panel.hidden) return;
  panel.hidden = true;
  panel.replaceChildren();
  document.body.classList.remove("has-panel");
  if (from?.isConnected) from.focus();
}

// Opens a post; `spans` are the quoted [start, end) in code points, `number` that of its citation.
export async function openPanel(button, id, spans = [], number = null) {
  closePanel();
  opener = button;
  button.setAttribute("aria-expanded", "true");
  let post = null;
  try {
    ({ post } = await getJson("/api/post", { id }));
  } catch (failure) {
    if (opener !== button) return; // another was opened meanwhile
    if (![404, 410].includes(failure.status)) return announce(say("ask_failed", { why: failure.message }));
    return show([make("p", { class: "why" }, whyGone(failure.status === 410 ? "deleted" : "hidden"))], number);
  }
  if (opener !== button) return;
  const article = make("article", { class: "post whole" });
  fillPost(article, post, spans);
  show([article, make("p", { class: "onward" }, make("a", { href: addressOf("post", id) }, say("thread_open")))], number);
  track(article, id, post.author, (now, reason) => {
    if (now !== null) return fillPost(article, now, now.text === post.text ? spans : [], now.text !== post.text);
    post = null;
    article.replaceChildren(make("p", { class: "why" }, whyGone(reason)));
  });
  article.querySelector("mark")?.scrollIntoView({ block: "nearest" });
}

function show(children, number) {
  const panel = find("panel");
  const title = number === null ? say("panel_head") : say("panel_quote", { n: number });
  const head = make("h2", { id: "panel-head", tabindex: "-1" }, title);
  const close = make("button", { class: "quiet close", onclick: closePanel, "aria-label": say("close") }, "\u00d7");
  panel.replaceChildren(make("div", { class: "panel-top" }, head, close), ...children);
  panel.hidden = false;
  document.body.classList.add("has-panel");
  head.focus({ preventScroll: true });
  if (narrow.matches) opener.closest(".sentence")?.scrollIntoView({ block: "start" }); // the sheet covers the lower part
}

// Fills an article with a whole post.
export function fillPost(article, post, spans, isEdited = false) {
  const text = textOf(post, [], LONG);
  fillText(text, post.text.length > 2 * LONG ? text.textContent : post.text, spans);
  article.replaceChildren(byline(post, post.received_us), text, ...pictures(post), facts(post, isEdited), source(post));
}

function pictures(post) {
  return (post.media ?? []).slice(0, 4).map((description) =>
    make("p", { class: "media", dir: "auto" }, say("media", { text: description })));
}

function facts(post, isEdited) {
  const list = make("ul", { class: "facts" });
  const add = (...parts) => list.append(make("li", {}, ...parts));
  add(stamp("received", post.received_us));
  if (post.claimed_us !== undefined && post.claimed_us !== null) add(stamp("claimed", post.claimed_us));
  if (post.reply_to) add(say("reply"));
  if (post.quote_of) add(say("quotes_post"));
  if (post.is_bot) add(say("bot"));
  if (isEdited) add(say("edited_now"));
  return list;
}

function stamp(key, us) {
  return make("time", { datetime: isoMoment(us) }, say(key, { time: fullMoment(us) }));
}

// The link is the stored post's own, and only where it leads to a page.
function source(post) {
  if (!isWebAddress(post.url)) return make("p", { class: "source" }, say("no_link"));
  const link = make("a", { href: post.url, rel: "nofollow noopener noreferrer ugc", target: "_blank" }, say("open_source"));
  return make("p", { class: "source" }, link, " ", make("bdi", { class: "address" }, new URL(post.url).host));
}

function isWebAddress(address) {
  try {
    return ["http:", "https:"].includes(new URL(address).protocol);
  } catch {
    return false;
  }
}
