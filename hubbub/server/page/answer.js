// One answer as it grows: found posts, then sentences with their quotes, then what has to be taken back.

import { announce, make } from "./dom.js";
import { isGone, recheckPost, track } from "./living.js";
import { openPanel } from "./panel.js";
import { ago, byline, nameOf, textOf, whyGone, withdraw } from "./post.js";
import { slicePoints } from "./spans.js";
import { age, moment } from "./time.js";
import { count, number, say } from "./words.js";

export class AnswerView {
  // `open(button, post id, spans, number, citation)` shows the post of a quote.
  constructor(root, question, { askAgain = null, open = openPanel } = {}) {
    this.root = root;
    this.question = question;
    this.askAgain = askAgain;
    this.open = open;
    this.numbers = new Map(); // post id -> citation number; one source keeps one number
    this.sentences = new Map(); // sentence id -> {element, citations}
    this.stories = new Map();
    this.isPartly = false;
    this.state = make("p", { class: "state" }, make("span", { class: "spinner", "aria-hidden": "true" }), say("looking"));
    this.strip = make("ol", { class: "strip", tabindex: "0", "aria-label": say("found_strip") });
    this.strip.hidden = true;
    this.stripHead = make("p", { class: "strip-head" });
    this.body = make("div", { class: "sentences" });
    this.foot = make("div", { class: "answer-foot" });
    const asked = question && make("h2", { class: "asked", dir: "auto" }, question);
    root.replaceChildren(...(asked ? [asked] : []), this.stripHead, this.strip, this.state, this.body, this.foot);
    root.setAttribute("aria-busy", "true");
  }

  found(posts) {
    const living = posts.filter((citation) => !isGone(citation.post));
    this.strip.hidden = living.length === 0;
    this.stripHead.textContent = living.length ? count(living.length, "post_found", "posts_found") : "";
    this.strip.replaceChildren(...living.map((citation) => this.card(citation)));
    if (living.length) this.state.lastChild.textContent = say("reading");
  }

  card(citation) {
    const text = textOf({ text: citation.quote }, [], 160);
    const button = make("button", { class: "card", "aria-expanded": "false", onclick: () => this.open(button, citation.post, [], null, citation) },
      byline(citation, citation.time_us), text);
    const item = make("li", {}, button);
    track(item, citation.post, citation.author, (post, reason) => {
      if (post === null) return withdraw(button, whyGone(reason), 60);
      text.replaceWith(textOf(post, [], 160));
    });
    return item;
  }

  sentence(sentence) {
    if (sentence.citations.some((citation) => isGone(citation.post))) return;
    const element = make("div", { class: `sentence ${sentence.kind}`, "data-sentence": sentence.id });
    const parts = quoteInside(sentence);
    const [head, tail] = cutLastWord(parts.pop());
    // The last word holds its citations, so that none stands alone on a line.
    const hold = make("span", { class: "hold" }, tail, ...sentence.citations.map((citation) => this.cite(citation, sentence)));
    element.append(make("p", { class: "words", dir: "auto" }, ...parts, head, hold));
    const facts = this.facts(sentence);
    if (facts) element.append(facts);
    this.place(sentence).append(element);
    this.sentences.set(sentence.id, element);
    for (const citation of sentence.citations) this.guard(sentence.id, element, citation);
  }

  place(sentence) {
    if (sentence.story === null || sentence.story === undefined) return this.body;
    if (!this.stories.has(sentence.story)) {
      const section = make("section", { class: "story-group" });
      this.stories.set(sentence.story, section);
      this.body.append(section);
    }
    return this.stories.get(sentence.story);
  }

  cite(citation, sentence) {
    if (!this.numbers.has(citation.post)) this.numbers.set(citation.post, this.numbers.size + 1);
    const n = this.numbers.get(citation.post);
    const spans = sentence.citations.filter((other) => other.post === citation.post).map((other) => [other.start, other.end]);
    const button = make("button", { class: "cite", "aria-expanded": "false", "aria-label": say("cite", { n, who: nameOf(citation) }),
      onclick: () => this.open(button, citation.post, spans, n, citation) }, String(n));
    return button;
  }

  facts(sentence) {
    if (sentence.kind === "note") return null;
    const list = make("ul", { class: "facts" });
    if (sentence.is_conflicting) list.append(disagree());
    if (sentence.num_voices > 1) list.append(make("li", { class: "voices" }, say("voices", { n: number(sentence.num_voices) })));
    else if (sentence.num_voices === 1) list.append(make("li", { class: "voices single" }, say("voice_one")));
    const { first_us: first, last_us: last } = sentence;
    if (first && last && age(first) !== age(last)) list.append(make("li", {}, say("first_last", { first: moment(first), last: moment(last) })));
    else if (last ?? first) list.append(make("li", {}, ago(last ?? first)));
    return list.childElementCount ? list : null;
  }

  // The house tells retractions; the page looks for itself as well, and the first to see it wins.
  guard(id, element, citation) {
    const { start, end } = citation;
    let quote = citation.quote;
    track(element, citation.post, citation.author, (post, reason) => {
      if (quote === null) return;
      if (post !== null && slicePoints(post.text, start, end) === quote) return;
      quote = null;
      this.withdraw(id, post === null ? reason : "changed");
    });
  }

  // The house has taken a sentence back: its words go at once, why is looked up.
  retraction(id, post) {
    this.withdraw(id, isGone(post) ? "deleted" : "changed");
    recheckPost(post).catch(() => {});
  }

  withdraw(id, reason) {
    const element = this.sentences.get(id);
    if (!element || element.classList.contains("withdrawn")) return;
    withdraw(element, say(`withdrawn_${reason}`));
    announce(say(`withdrawn_${reason}`));
    if (!this.isPartly) {
      this.isPartly = true;
      const again = this.askAgain && make("button", { class: "quiet", onclick: this.askAgain }, say("ask_again"));
      this.foot.prepend(make("p", { class: "partly" }, say("partly"), " ", again));
    }
  }

  done(answer) {
    const standing = new Set(answer.sentences.map((sentence) => sentence.id));
    for (const id of this.sentences.keys()) if (!standing.has(id)) this.withdraw(id, "deleted");
    const { report } = answer;
    const sentences = count(standing.size, "sentence_one", "sentences");
    const parts = [say("answer_of", { time: moment(answer.asked_us) }),
      say("done_report", { sentences, posts: count(report.num_posts_found, "post_one", "posts"), ms: number(Math.round(report.total_ms ?? 0)) }),
      report.writer === "quotes" ? say("by_quotes") : say("by_model", { model: report.writer })];
    const dropped = Object.values(report.dropped ?? {}).reduce((sum, n) => sum + n, 0);
    if (dropped) parts.push(say("dropped", { n: number(dropped) }));
    this.foot.append(make("ul", { class: "facts" }, ...parts.map((part) => make("li", {}, part))));
    if (this.numbers.size) this.foot.append(make("p", { class: "watching" }, make("span", { class: "dot on", "aria-hidden": "true" }), say("watching")));
    this.end();
    announce(say("answer_done", { sentences }));
  }

  fail(text) {
    this.foot.append(make("p", { class: "trouble", role: "alert" }, text));
    this.end();
  }

  end() {
    this.state.hidden = true;
    this.root.setAttribute("aria-busy", "false");
  }
}

const disagree = () => make("li", { class: "disagree" }, say("disagree"));

// Sets the quoted words of a sentence apart from what is said about them.
function quoteInside(sentence) {
  const quotes = [...new Set(sentence.citations.map((citation) => citation.quote))].sort((a, b) => b.length - a.length);
  let parts = [sentence.text];
  for (const quote of quotes.filter((text) => text.trim())) {
    parts = parts.flatMap((part) => (typeof part === "string" ? split(part, quote) : [part]));
  }
  return parts;
}

function cutLastWord(part) {
  if (typeof part !== "string") return [part, ""];
  const word = /\S{0,24}$/.exec(part)[0];
  return [part.slice(0, part.length - word.length), word];
}

function split(text, quote) {
  const at = text.indexOf(quote);
  if (at < 0) return [text];
  return [text.slice(0, at), make("q", { class: "quoted", dir: "auto" }, quote), ...split(text.slice(at + quote.length), quote)];
}
