// What narrows a search: its operators as chips to take away, and what was found by author, hashtag and day to add.

import { make } from "./dom.js";
import { timeline } from "./timeline.js";
import { asSyntax, period } from "./time.js";
import { count, language, locale, number, say } from "./words.js";

const DEEP = 200; // of so many of the best matches the house counts what says the words
const OPERATOR = /(?<=^|\s)(?:(?<not>-?)(?<name>from|since|until|lang):(?<value>[^\s"]+)|(?<tag>[#\uff03][\p{L}\p{M}\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*))(?=\s|$)/giu;
const PHRASE = /-?"[^"]*"/g;
const languages = new Intl.DisplayNames(language, { type: "language" });

// The operators of a query; those inside quotes are words.
export function operators(query) {
  const plain = query.replace(PHRASE, (phrase) => " ".repeat(phrase.length));
  return [...plain.matchAll(OPERATOR)].map((match) => ({ start: match.index, end: match.index + match[0].length, text: match[0], ...match.groups }));
}

const tidy = (query) => query.replace(/ {2,}/g, " ").trim();
const without = (query, { start, end }) => tidy(query.slice(0, start) + query.slice(end));

function narrowed(query, ...added) {
  const isTime = added.some((each) => /^(since|until):/.test(each));
  const old = isTime ? operators(query).filter(({ name }) => /^(since|until)$/i.test(name ?? "")) : [];
  const kept = old.reverse().reduce(without, query);
  const has = operators(kept).map(({ text }) => text.toLowerCase());
  return tidy([kept, ...added.filter((each) => !has.includes(each.toLowerCase()))].join(" "));
}

// Chips of the operators in a query; a click on one searches without it.
export function filterChips(query, search) {
  const found = operators(query);
  if (!found.length) return null;
  const chips = found.map((each) => {
    const what = describe(each);
    return make("li", {}, make("button", { class: "chip taken", "aria-label": say("remove_filter", { what }), onclick: () => search(without(query, each)) },
      make("bdi", {}, what), make("span", { class: "cross", "aria-hidden": "true" }, "\u00d7")));
  });
  return make("ul", { class: "chips", "aria-label": say("filters") }, ...chips);
}

function describe({ name, not, value, tag }) {
  if (tag) return tag;
  const kind = name.toLowerCase();
  if (kind === "from") return say(not ? "not_from_filter" : "from_filter", { what: "@" + value.replace(/^@/, "") });
  if (kind === "lang") return say("lang_filter", { what: languageName(value) });
  const ms = Date.parse(value);
  return say(`${kind}_filter`, { what: Number.isNaN(ms) || /^\d+\w$/.test(value) ? value : period(ms * 1000, ms * 1000) });
}

function languageName(code) {
  try {
    return languages.of(code);
  } catch {
    return code;
  }
}

// The timeline and the lists of what was found; `search` is called with the narrowed query.
export function facets({ facets: { authors, hashtags, days }, timeline: times, num_counted: counted }, query, search) {
  const lists = [
    list("facet_authors", authors, (value) => "@" + value, (value) => narrowed(query, `from:${value}`)),
    list("facet_hashtags", hashtags, (value) => "#" + value, (value) => narrowed(query, `#${value}`)),
    list("facet_days", days, dayName, (value) => narrowed(query, `since:${value}`, `until:${nextDay(value)}`)),
  ];
  const drawn = times && times.counts.length > 1 && timeline(times, (from, to) => search(narrowed(query, `since:${asSyntax(from)}`, `until:${asSyntax(to)}`)));
  const posts = count(counted, "post_one", "posts");
  if (!drawn && !lists.some((each) => each)) return []; // nothing to narrow by
  const note = make("p", { class: "note" }, hasWords(query) ? say("facets_say", { posts, deep: number(DEEP) }) : say("facets_new", { posts }));
  return [drawn, ...lists, note].filter((each) => each);

  function list(key, values, show, narrow) {
    const usable = values.filter(({ value }) => !/[\s"]/.test(value) && narrow(value) !== tidy(query));
    if (usable.length < (key === "facet_days" ? 2 : 1)) return null;
    const chips = usable.map(({ value, count: n }) => make("li", {}, make("button", { class: "chip", "aria-label": say("facet_value", { what: show(value), posts: count(n, "post_one", "posts") }), onclick: () => search(narrow(value)) },
      make("bdi", {}, show(value)), make("span", { class: "number" }, number(n)))));
    return make("div", { class: "facet" }, make("h2", { title: key === "facet_days" ? say("facet_days_hint") : null }, say(key)), make("ul", { class: "chips" }, ...chips));
  }
}

function hasWords(query) {
  let rest = query;
  for (const each of operators(query).reverse()) rest = without(rest, each);
  return rest.replace(/(?<=^|\s)-\S+/g, "").trim() !== "";
}

const utcDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const dayName = (value) => utcDay.format(Date.parse(value));
const nextDay = (value) => new Date(Date.parse(value) + 86400e3).toISOString().slice(0, 10);
