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
// Until how many of a unit it is used; rounded as the answers' own sentences round, so that both say the same.
const steps = [["second", 1, 59.5], ["minute", 60, 59.5], ["hour", 3600, 35.5], ["day", 86400, 60],
  ["month", 86400 * 30, 18], ["year", 86400 * 365, Infinity]];

export function age(us) {
  const seconds = Math.max(0, (nowMs() - us / 1000) / 1000);
  const [unit, size] = steps.find(([, size, limit]) => seconds / size < limit);
  return ages.format(-Math.round(seconds / size), unit);
}

const hours = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "medium" });

const isPrintable = (ms) => Number.isFinite(ms) && Math.abs(ms) < 8.64e15;

// The hour alone within a day of the house's clock, else with its date.
export function moment(us) {
  const ms = us / 1000;
  if (!isPrintable(ms)) return "?";
  return (Math.abs(nowMs() - ms) < 20 * 3600e3 ? hours : days).format(ms);
}

export const fullMoment = (us) => (isPrintable(us / 1000) ? exact.format(us / 1000) : "?");
export const isoMoment = (us) => (isPrintable(us / 1000) ? new Date(us / 1000).toISOString() : undefined);
