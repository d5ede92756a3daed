// A card: its heading, what it shows in words, a picture, keys, and the table behind; each part is changed in place.

import { draw, find, make } from "./dom.js";
import { table } from "./table.js";

export class Card {
  constructor(id) {
    this.root = find(id);
    this.found = make("p", { class: "found" });
    this.plot = make("div", { class: "plot" });
    this.keys = make("ul", { class: "keys" });
    this.said = make("p", { class: "said", "aria-live": "polite" });
    this.body = make("div", { class: "body" });
    this.more = make("details", {}, make("summary", {}, "Figures"));
    this.root.append(this.found, this.plot, this.keys, this.said, this.more);
    this.rows = null;
    this.more.addEventListener("toggle", () => this.rows && this.open());
  }

  // What is there to see; without a picture only `text` is.
  tell(text) { if (this.found.textContent !== text) this.found.textContent = text; }

  nothing(text) {
    this.tell("");
    this.found.hidden = this.keys.hidden = this.said.hidden = this.more.hidden = true;
    this.plot.replaceChildren(make("p", { class: "nothing" }, text));
    this.isEmpty = true;
  }

  // Called before a picture is drawn.
  something() {
    if (!this.isEmpty) return;
    this.found.hidden = this.keys.hidden = this.said.hidden = this.more.hidden = false;
    this.plot.replaceChildren();
    this.isEmpty = false;
  }

  key(items) {
    this.keys.replaceChildren(...items.map(([mark, name, value]) => make("li", {}, mark, make("bdi", { title: name }, name), value === undefined ? null : make("b", {}, value))));
  }

  // `rows` is asked only while the table is open.
  behind(label, header, rows) {
    this.rows = () => table(label, header, rows());
    if (this.more.open) this.open();
  }

  open() {
    if (this.more.open) replace(this.more, this.rows());
  }
}

// Puts a new table where an old one was: where it was scrolled, and with its focus.
export function replace(host, fresh) {
  const old = host.querySelector(".table");
  if (old === null) return host.append(fresh);
  const [left, top, hadFocus] = [old.scrollLeft, old.scrollTop, old === document.activeElement];
  old.replaceWith(fresh);
  [fresh.scrollLeft, fresh.scrollTop] = [left, top];
  if (hadFocus) fresh.focus({ preventScroll: true });
}

export const square = (kind) => draw("svg", { class: "key", viewBox: "0 0 13 13", "aria-hidden": "true" }, draw("rect", { class: kind, width: 13, height: 13, rx: 2 }));
export const hatched = (kind) => draw("svg", { class: "key", viewBox: "0 0 13 13", "aria-hidden": "true" }, draw("rect", { class: kind, width: 13, height: 13, rx: 2 }), draw("path", { class: "hatch", d: "M-2 9L9 -2M2 15L15 2" }));
export const stroke = (kind) => draw("svg", { class: "key", viewBox: "0 0 13 13", "aria-hidden": "true" }, draw("path", { class: kind, d: "M0 6.5H13" }));
export const dotted = (kind) => draw("svg", { class: "key", viewBox: "0 0 13 13", "aria-hidden": "true" }, draw("circle", { class: kind, cx: 6.5, cy: 6.5, r: 4 }));

// How wide a picture may be; told again when that changes.
export function fit(host, onWidth) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now && now !== width) { width = now; onWidth(); }
  }).observe(host);
}
