// Times as people read them, counted from the house's clock, which in a replay is not the wall's.

import { language, locale } from "./words.js";

let clock = null;

export function setClock(clockUs) {
  const isFirst = clock === null;
  clock = { us: clockUs, at: performance.now() };
  if (isFirst) document.dispatchEvent(new CustomEvent("clock")); // ages that were told before counted from the wall's
}

export function nowMs() {
  if (clock === null) return Date.now();
  return clock.us / 1000 + Math.min(2000, performance.now() - clock.at);
}

const ages = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
// Until how many of a unit it is used; rounded as the answers' own sentences round, so that both say the same.
const steps = [["second", 1, 59.5], ["minute", 60, 59.5], ["hour", 3600, 35.5], ["day", 86400, 60],
  ["month", 86400 * 30, 18], ["year", 86400 * 365, Infinity]];

export function age(us) {
  const seconds = Math.max(0, (nowMs() - us / 1000) / 1000);
  const [unit, size] = steps.find(([, size, limit]) => seconds / size < limit);
  return ages.format(-Math.round(seconds / size), unit);
}

const hours = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "medium" });

const isPrintable = (ms) => Number.isFinite(ms) && Math.abs(ms) < 8.64e15;

// The hour alone within a day of the house's clock, else with its date.
export function moment(us) {
  const ms = us / 1000;
  if (!isPrintable(ms)) return "?";
  return (Math.abs(nowMs() - ms) < 20 * 3600e3 ? hours : days).format(ms);
}

export const fullMoment = (us) => (isPrintable(us / 1000) ? exact.format(us / 1000) : "?");
export const isoMoment = (us) => (isPrintable(us / 1000) ? new Date(us / 1000).toISOString() : undefined);

const shortDays = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const shortYears = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const dayAndHours = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const longHours = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });

// A stretch of time as briefly as it can be told; of an instant, that instant.
export function period(fromUs, toUs) {
  const [from, to] = [fromUs / 1000, toUs / 1000];
  if (!isPrintable(from) || !isPrintable(to)) return "?";
  const isOld = Math.abs(nowMs() - from) > 200 * 86400e3;
  const isWhole = [from, to].every((ms) => new Date(ms).getHours() === 0 && new Date(ms).getMinutes() === 0);
  const format = isWhole ? (isOld ? shortYears : shortDays) : isOld ? longHours : dayAndHours;
  return from === to ? format.format(from) : format.formatRange(from, to);
}

const units = new Map(["millisecond", "second", "minute", "hour", "day"].map((unit) => [unit, new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 })]));
const sizes = [["millisecond", 1, 1000], ["second", 1e3, 120e3], ["minute", 60e3, 7200e3], ["hour", 3600e3, 172800e3], ["day", 86400e3, Infinity]];

// How long something took, in the unit in which it is a small number.
export function lasting(ms) {
  const [unit, size] = sizes.find(([, , limit]) => Math.abs(ms) < limit);
  return units.get(unit).format(unit === "millisecond" ? Math.round(ms) : ms / size);
}

// A time as the search syntax takes it.
export const asSyntax = (us) => new Date(us / 1000).toISOString().replace(/(?::00)?\.000Z$/, "Z");
