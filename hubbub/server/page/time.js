// Times as people read them, counted from the house's clock, which in a replay is not the wall's.

import { language } from "./words.js";

let clock = null;

export function setClock(clockUs) {
  clock = { us: clockUs, at: performance.now() };
}

export function nowMs() {
  if (clock === null) return Date.now();
  return clock.us / 1000 + Math.min(2000, performance.now() - clock.at);
}

const ages = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const steps = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [86400 * 30, "day", 86400],
  [86400 * 365, "month", 86400 * 30], [Infinity, "year", 86400 * 365]];

export function age(us) {
  const seconds = Math.max(0, (nowMs() - us / 1000) / 1000);
  const [, unit, size] = steps.find(([limit]) => seconds < limit);
  return ages.format(-Math.floor(seconds / size), unit);
}

const hours = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "medium" });

const isPrintable = (ms) => Number.isFinite(ms) && Math.abs(ms) < 8.64e15;

// The hour alone on the house's own day, else with its date.
export function moment(us) {
  const ms = us / 1000;
  if (!isPrintable(ms)) return "?";
  const isToday = new Date(ms).toDateString() === new Date(nowMs()).toDateString();
  return (isToday ? hours : days).format(ms);
}

export const fullMoment = (us) => (isPrintable(us / 1000) ? exact.format(us / 1000) : "?");
export const isoMoment = (us) => (isPrintable(us / 1000) ? new Date(us / 1000).toISOString() : undefined);
