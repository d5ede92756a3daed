// Tables, and the one behind each picture.

import { make } from "./dom.js";

// A cell is text, a number's text with {figure}, or {words}; what people named stands in a <bdi>.
const cell = (tag, value) => {
  if (value instanceof Node) return make(tag, {}, value);
  if (value !== null && typeof value === "object") return make(tag, { class: value.words !== undefined ? "words" : "figure", dir: value.words !== undefined ? "auto" : null }, value.words ?? value.figure);
  return make(tag, {}, value);
};

export function table(label, header, rows) {
  const isFigure = header.map((_, n) => rows.length > 0 && rows[0][n] !== null && typeof rows[0][n] === "object" && "figure" in rows[0][n]);
  const head = make("thead", {}, make("tr", {}, ...header.map((name, n) => make("th", { scope: "col", class: isFigure[n] ? "figure" : null }, name))));
  const body = make("tbody", {}, ...rows.map(([first, ...rest]) => {
    const name = cell("th", first);
    name.setAttribute("scope", "row");
    return make("tr", {}, name, ...rest.map((value) => cell("td", value)));
  }));
  return make("div", { class: "table", tabindex: "0", role: "region", "aria-label": label }, make("table", {}, head, body));
}

export const figure = (text) => ({ figure: text });
export const words = (text) => ({ words: text });
// Two names, of which each may be written in its own direction.
export const named = (name, color, more = "") => {
  const swatch = color === undefined ? null : make("span", { class: "swatch", "aria-hidden": "true" });
  if (swatch) swatch.style.background = color;
  return make("span", {}, swatch, make("bdi", { title: name }, name), more ? " " : null, more ? make("bdi", { title: more }, more) : null);
};
