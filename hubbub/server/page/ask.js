// Asking: one question at a time, its stream, and its place in the address line.

import { AnswerView } from "./answer.js";
import { find, make } from "./dom.js";
import { recheckPost } from "./living.js";
import { closePanel } from "./panel.js";
import { register, revisit, visit } from "./route.js";
import { readEvents } from "./sse.js";
import { openTab } from "./tabs.js";
import { say } from "./words.js";

const MAX_TRIES = 5;
let current = null; // AbortController of the open stream
let view = null;
let isAnswered = true;

export function startAsking() {
  find("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const question = find("question").value.trim();
    if (question) askNow(question);
  });
  register("ask", ({ ask: question }) => {
    openTab("ask");
    if (!question || question === view?.question) return; // as it was left
    find("question").value = question;
    ask(question);
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches?.("input, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      if (document.body.dataset.view !== "ask") revisit("ask");
      find("question").focus();
    }
    if (event.key === "Escape") closePanel();
  });
}

// Asks anew also what was asked last.
export function askNow(question) {
  view = null;
  visit({ ask: question });
}

export function showExamples(questions) {
  find("examples").replaceChildren(...questions.map(({ text, lang }) =>
    make("li", {}, make("button", { class: "chip", lang, onclick: () => askNow(text) }, text))));
}

// A page nobody looks at holds no connection; main.js looks at its posts again when somebody does.
export function stopWatching() {
  if (isAnswered) current?.abort();
}

async function ask(question, tries = 0) {
  current?.abort();
  const controller = new AbortController();
  current = controller;
  closePanel();
  find("welcome").hidden = true;
  document.title = `${question.slice(0, 80)} \u2013 hubbub`;
  const mine = new AnswerView(find("answer"), question, { askAgain: () => ask(question) });
  view = mine;
  let isDone = false;
  isAnswered = false;
  try {
    for await (const { name, data } of readEvents("/api/ask", { q: question }, controller.signal)) {
      isDone = show(mine, name, data) || isDone;
      if (view === mine) isAnswered = isDone;
    }
    if (!isDone) mine.fail(say("cut"));
  } catch (failure) {
    if (controller.signal.aborted) return;
    if (failure.status === 429 && tries < MAX_TRIES) return retry(mine, question, failure.retryAfter || 1, tries);
    if (!isDone) mine.fail(failure.status ? say("ask_failed", { why: failure.message }) : say("cut"));
  }
}

function retry(mine, question, seconds, tries) {
  mine.state.lastChild.textContent = say("busy", { n: seconds });
  setTimeout(() => { if (view === mine) ask(question, tries + 1); }, seconds * 1000);
}

// Shows one event; true when the answer has come to its end.
function show(mine, name, data) {
  if (name === "found") mine.found(data.posts);
  else if (name === "sentence") mine.sentence(data.sentence);
  else if (name === "retraction") mine.retraction(data.sentence, data.post);
  else if (name === "gone") recheckPost(data.post).catch(() => {});
  else if (name === "error") mine.fail(say("ask_failed", { why: data.error.message }));
  else if (name === "done") mine.done(data.answer);
  return name === "done" || name === "error";
}

