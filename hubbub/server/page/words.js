// The page's own words in the reader's language, and numbers in the reader's manner.

import { english } from "./english.js";
import { german } from "./german.js";

// What the address asks for, as a frame in a page of some language does, before what the browser is set to.
const wished = new URLSearchParams(location.search).get("lang") || navigator.language || "en";
export const language = wished.toLowerCase().startsWith("de") ? "de" : "en";
// How dates are written: as in the reader's country, where that speaks the page's language.
export const locale = navigator.language?.toLowerCase().startsWith(language) ? navigator.language : language;
const words = language === "de" ? { ...english, ...german } : english;

export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

const numbers = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
export const number = (value) => numbers.format(value);
export const count = (n, one, many) => (n === 1 ? say(one) : say(many, { n: number(n) }));

// Puts the reader's words into what index.html says in English.
export function translatePage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of document.querySelectorAll("[data-word-label]")) element.setAttribute("aria-label", say(element.dataset.wordLabel));
  for (const element of document.querySelectorAll("[data-word-placeholder]")) element.placeholder = say(element.dataset.wordPlaceholder);
}
