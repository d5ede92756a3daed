// How one post looks, wherever it stands: who, when, what; and what is left of it when it is gone.

import { make } from "./dom.js";
import { clip, cutAtSpans } from "./spans.js";
import { age, fullMoment, isoMoment } from "./time.js";
import { say } from "./words.js";

const SHORT = 420; // code points of a post in a list; the panel shows more
const NUM_HUES = 8;

export function nameOf(author) {
  return author.name?.trim() || author.handle || author.author;
}

export function avatar(author) {
  const name = nameOf(author);
  const first = [...name].find((letter) => /[\p{L}\p{N}]/u.test(letter)) ?? "\u00b7";
  let hash = 0;
  for (const unit of author.author) hash = (hash * 31 + unit.codePointAt(0)) >>> 0;
  return make("span", { class: `avatar hue-${hash % NUM_HUES}`, "aria-hidden": "true" }, first.toUpperCase());
}

// Names are the author's own text: isolated, so that their direction cannot spill into ours.
export function byline(author, timeUs) {
  const who = make("span", { class: "who" }, make("bdi", { class: "name" }, clip(nameOf(author), 60)));
  if (author.handle) who.append(make("bdi", { class: "handle" }, "@" + clip(author.handle, 60)));
  return make("p", { class: "by" }, avatar(author), who, ago(timeUs));
}

export function ago(timeUs) {
  return make("time", { class: "ago", datetime: isoMoment(timeUs), title: fullMoment(timeUs), "data-us": timeUs }, age(timeUs));
}

// Ages go on while the page is open.
export function refreshAges() {
  for (const element of document.querySelectorAll("time[data-us]")) {
    const text = age(Number(element.dataset.us));
    if (element.textContent !== text) element.textContent = text;
  }
}

export function textOf(post, spans = [], limit = SHORT) {
  const body = make("p", { class: "text", dir: "auto", lang: post.langs?.[0] });
  fillText(body, clip(post.text, limit), spans);
  return body;
}

export function fillText(body, text, spans = []) {
  body.replaceChildren(...cutAtSpans(text, spans).map((piece) => (piece.marked ? make("mark", {}, piece.text) : piece.text)));
}

// A line struck through where a text was: as long, and without a letter of it.
export function struck(length) {
  return make("span", { class: "struck", "aria-hidden": "true" }, "\u00a0\u200b".repeat(Math.max(8, Math.min(length, 240))));
}

export function withdraw(element, why, longest = 240) {
  const length = Math.min(element.textContent.length, longest);
  element.classList.add("withdrawn");
  element.replaceChildren(struck(length), make("span", { class: "why" }, why));
}

export const whyGone = (reason) => say(reason === "deleted" ? "gone_deleted" : "gone_hidden");
