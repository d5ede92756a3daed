// One post at an address of its own: what it answers, itself whole, what others say about it, the replies.

import { AnswerView } from "./answer.js";
import { announce, find, make } from "./dom.js";
import { isGone, recheck, track } from "./living.js";
import { closePanel, fillPost, openPanel } from "./panel.js";
import { nameOf, whyGone } from "./post.js";
import { register, visit } from "./route.js";
import { postRow } from "./row.js";
import { getInTurn, getJson } from "./sse.js";
import { openTab } from "./tabs.js";
import { moment } from "./time.js";
import { number, say } from "./words.js";

let current = null;
let shown = null; // id of the post that is shown
let known = new Map(); // the posts of its thread, by id

export function startThread() {
  find("thread-back").addEventListener("click", () => history.back());
  register("post", ({ post: id }) => {
    openTab("thread");
    if (id && id !== shown) load(id);
  });
  document.addEventListener("arrival", ({ detail: { id, reply_to: parent } }) => {
    if (shown && known.has(parent) && !known.has(id)) refresh(shown).catch(() => {});
  });
}

// Somebody has just replied.
async function refresh(id) {
  const { post, thread } = await getJson("/api/post", { id, thread: true });
  const section = find("thread-body").querySelector(".replies");
  if (id === shown && section) section.replaceWith(replies(post, thread));
}

async function load(id) {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  shown = id;
  closePanel();
  const body = find("thread-body");
  body.replaceChildren(waiting("loading"));
  body.setAttribute("aria-busy", "true");
  try {
    const { post, thread } = await getJson("/api/post", { id, thread: true }, controller.signal);
    body.replaceChildren(...parts(post, thread, controller.signal));
    recheck([post, ...thread.above, ...(thread.below ?? [])].map((each) => each.id)).catch(() => {}); // what died meanwhile
    document.title = `${nameOf(post).slice(0, 60)} \u2013 hubbub`;
  } catch (failure) {
    if (controller.signal.aborted) return;
    shown = null;
    const isGone = [404, 410].includes(failure.status);
    const why = failure.status === 410 ? whyGone("deleted") : isGone ? say("post_missing") : say("ask_failed", { why: failure.message });
    body.replaceChildren(make("p", { class: isGone ? "nothing" : "trouble", role: "alert" }, why));
  }
  body.setAttribute("aria-busy", "false");
}

const waiting = (key) => make("p", { class: "state", role: "status" }, make("span", { class: "spinner", "aria-hidden": "true" }), say(key));
const visitPost = (_, id) => visit({ post: id });

function parts(post, thread, signal) {
  const { above, quoted, num_missing: missing } = thread;
  const row = (each) => postRow(each, { open: visitPost });
  const card = make("section", { class: "context", "aria-live": "polite" });
  explain(card, post, signal);
  return [
    missing ? make("p", { class: "note" }, missing === 1 ? say("missing_one") : say("missing_many", { n: number(missing) })) : null,
    above.length ? make("ol", { class: "above", "aria-label": say("thread_head") }, ...above.map(row)) : null,
    whole(post, card),
    quoted ? make("section", { class: "quoted-post" }, make("h2", {}, say("quoted_head")), make("ol", { class: "results" }, row(quoted))) : null,
    card,
    replies(post, thread),
  ].filter((each) => each);
}

function replies(post, { above, below = [], has_more_below: hasMore, is_below_unsure: isUnsure }) {
  known = new Map([post, ...above, ...below].map((each) => [each.id, each]));
  const notes = [hasMore && say("replies_more"), isUnsure && say("replies_unsure"), !below.length && !isUnsure && say("no_replies")];
  return make("section", { class: "replies" }, make("h2", {}, say("replies_head"), below.length ? make("span", { class: "number" }, number(below.length)) : null),
    below.length ? make("ol", { class: "results" }, ...below.map((each) => postRow(each, { open: visitPost, above: answered(each, post) }))) : null,
    ...notes.map((note) => note && make("p", { class: "note" }, note)).filter((each) => each));
}

// Whom a reply in a list answers, where that is not the post that is shown.
function answered(each, post) {
  const parent = known.get(each.reply_to);
  if (!parent || parent.id === post.id) return null;
  return make("p", { class: "answered" }, say("reply_to", { who: "@" + (parent.handle ?? nameOf(parent)) }));
}

function whole(post, card) {
  const article = make("article", { class: "post whole main-post", "aria-current": "true" });
  fillPost(article, post, []);
  track(article, post.id, post.author, (now, reason) => {
    if (now !== null) return fillPost(article, now, [], now.text !== post.text);
    article.replaceChildren(make("p", { class: "why" }, whyGone(reason)));
    card.replaceChildren(make("p", { class: "why" }, say("card_gone")));
    document.title = "hubbub";
    announce(whyGone(reason));
  });
  return article;
}

async function explain(card, post, signal) {
  const head = make("h2", {}, say("card_head"));
  card.replaceChildren(head, waiting("card_loading"));
  try {
    const { sentences, made_us: made } = await getInTurn("/api/explain", { url: post.id }, signal);
    if (isGone(post.id)) return;
    const box = make("div", { class: "answer" });
    card.replaceChildren(head, box);
    if (!sentences.length) return box.replaceChildren(make("p", { class: "note" }, say("card_none")));
    const view = new AnswerView(box, null, { askAgain: () => explain(card, post, signal), open: openPanel });
    for (const sentence of sentences) view.sentence(sentence);
    view.foot.append(make("p", { class: "note" }, say("made", { time: moment(made) })));
    view.end();
    recheck(sentences.flatMap((sentence) => sentence.citations.map((citation) => citation.post))).catch(() => {});
  } catch (failure) {
    if (signal.aborted || isGone(post.id)) return;
    card.replaceChildren(head, make("p", { class: "trouble" }, say("ask_failed", { why: failure.message })));
  }
}

