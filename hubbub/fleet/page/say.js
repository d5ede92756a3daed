// Numbers, dollars and times as this page writes them; a replay counts days, a live fleet has a clock.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const shares = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 2 });
const power = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (value) => whole.format(value);
export const brief = (value) => short.format(value);
export const percent = (value) => shares.format(value);
export const usd = (value) => (Math.abs(value) < 100 ? cents : dollars).format(value);
export const kw = (value) => (Math.abs(value) >= 1000 ? `${power.format(value / 1000)} MW` : `${power.format(value)} kW`);
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

let isReplay = false;
export const countDays = () => { isReplay = true; };

const pad = (n) => String(n).padStart(2, "0");
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

function parts(atS) {
  const minutes = Math.round(atS / 60);
  return [Math.floor(minutes / 1440) + 1, pad(Math.floor((minutes % 1440) / 60)), pad(minutes % 60)];
}

export function clock(atS) {
  if (isReplay) { const [day, hour, minute] = parts(atS); return `day ${day}, ${hour}:${minute}`; }
  return (Math.abs(Date.now() / 1000 - atS) < 72000 ? hours : { format: (ms) => `${days.format(ms)}, ${hours.format(ms)}` }).format(atS * 1000);
}

export function tick(atS, stepS) {
  if (isReplay) { const [day, hour, minute] = parts(atS); return stepS >= 86400 || `${hour}${minute}` === "0000" ? `day ${day}` : `${hour}:${minute}`; }
  return (stepS < 60 ? seconds : stepS >= 86400 ? days : hours).format(atS * 1000);
}

export const dayName = (day) => (isReplay ? `day ${day + 1}` : days.format(day * 86400e3 + 43200e3));

export function lasting(spanS) {
  const steps = [["s", 1, 120], ["min", 60, 7200], ["h", 3600, 172800], ["days", 86400, Infinity]];
  const [unit, size] = steps.find(([, , limit]) => spanS < limit);
  const value = spanS / size;
  return `${value >= 10 || unit === "s" || unit === "min" ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

// Round steps of time: the first of which no more than `most` fit.
const STEPS = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 259200, 432000, 864000, 1728000, 8640000];
export function timeTicks(from, to, most) {
  const step = STEPS.find((each) => (to - from) / each <= most) ?? STEPS.at(-1);
  const shift = isReplay ? 0 : new Date(from * 1000).getTimezoneOffset() * 60;
  const ticks = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) ticks.push(at);
  return [ticks, step];
}

export function valueTicks(high, most = 5, isWhole = false) {
  const power = Math.max(10 ** Math.floor(Math.log10(Math.max(high, 1e-9) / most)), isWhole ? 1 : 0);
  const step = [1, 2, 5, 10].map((n) => n * power).find((each) => high / each <= most);
  const ticks = [];
  for (let n = 0; n * step < high + step; n++) ticks.push(n * step);
  return ticks;
}
