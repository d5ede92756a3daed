// Bands on each other and lines, over time; values hold until the next moment. A pointer or arrow keys read a moment.

import { draw } from "./dom.js";
import { brief, tick, timeTicks, valueTicks } from "./say.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [50, 8, 26, 24];

export class TimeChart {
  // `onRead(index | null)` is told which moment is pointed at.
  constructor(host, height, onRead) {
    this.host = host;
    this.height = height;
    this.at = null;
    this.onRead = onRead;
    this.svg = draw("svg", { class: "chart", role: "img", tabindex: "0" });
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerdown", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.read(null));
    this.svg.addEventListener("blur", () => this.read(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  // {times, bands: [{kind, values}], rules: [{kind, values}], areas: [{from, to, text}], label, unit, cursor, end}
  show(data) {
    this.data = data;
    if (this.svg.parentNode !== this.host) this.host.append(this.svg);
    this.svg.setAttribute("aria-label", data.label);
    this.draw();
  }

  draw() {
    const width = this.host.clientWidth;
    if (!width || !this.data) return;
    const { times, bands, rules = [], areas = [], unit, scale = 1, isWhole = true } = this.data;
    const [from, to] = [times[0], Math.max(this.data.end ?? times.at(-1), times[0] + 1)];
    const sums = times.map(() => 0);
    for (const { values } of bands) values.forEach((value, n) => { sums[n] += value; });
    const top = Math.max(1e-9, ...sums, ...rules.flatMap(({ values }) => values));
    const ticks = valueTicks(top / scale, this.height < 120 ? 2 : 5, isWhole);
    const high = ticks.at(-1) * scale;
    const x = (at) => LEFT + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * (width - LEFT - RIGHT);
    const y = (value) => this.height - BOTTOM - (value / high) * (this.height - TOP - BOTTOM);
    this.x = x;
    const parts = ticks.map((value) => draw("g", {}, draw("line", { class: "gridline", x1: LEFT, x2: width - RIGHT, y1: y(value * scale), y2: y(value * scale) }), this.text(LEFT - 6, y(value * scale) + 4, brief(value), "end")));
    parts.push(this.text(0, 11, unit, "start"));
    const below = times.map(() => 0);
    for (const { kind, values } of bands) {
      const above = values.map((value, n) => below[n] + value);
      parts.push(draw("path", { class: `band ${kind}`, d: `${this.steps(times, above, x, y, to)}${this.back(times, below, x, y, to)}Z` }));
      above.forEach((value, n) => { below[n] = value; });
    }
    const labels = [];
    for (const { start, end, text } of areas) {
      if (end <= from || start >= to) continue;
      parts.push(draw("rect", { class: "event", x: x(start), y: TOP, width: Math.max(2, x(end) - x(start)), height: this.height - TOP - BOTTOM }));
      const isLate = x(start) > width * 0.65;
      labels.push(this.text(isLate ? x(start) - 5 : x(end) + 5, TOP - 6, text, isLate ? "end" : "start", "strong"));
    }
    for (const { kind, values } of rules) parts.push(draw("path", { class: kind, d: this.steps(times, values, x, y, to) }));
    const [marks, step] = timeTicks(from, to, Math.max(2, Math.floor((width - LEFT) / 78)));
    for (const at of marks) parts.push(draw("line", { class: "axis", x1: x(at), x2: x(at), y1: this.height - BOTTOM, y2: this.height - BOTTOM + 4 }), this.text(Math.min(x(at), width - 22), this.height - 6, tick(at, step), "middle"));
    parts.push(draw("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: this.height - BOTTOM, y2: this.height - BOTTOM }));
    if (this.data.cursor !== undefined) parts.push(this.rod("now-line", x(this.data.cursor)));
    this.cursor = this.rod("cursor", 0);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.setAttribute("height", this.height);
    this.svg.replaceChildren(...parts, ...labels, this.cursor);
    this.mark();
  }

  text(x, y, words, anchor, kind = "") { return draw("text", { x, y, "text-anchor": anchor, class: kind }, words); }
  rod(kind, x) { return draw("line", { class: kind, x1: x, x2: x, y1: TOP, y2: this.height - BOTTOM }); }

  steps(times, values, x, y, to) {
    let path = `M${x(times[0]).toFixed(1)} ${y(values[0]).toFixed(1)}`;
    for (let n = 1; n < times.length; n++) if (values[n] !== values[n - 1]) path += `H${x(times[n]).toFixed(1)}V${y(values[n]).toFixed(1)}`;
    return `${path}H${x(to).toFixed(1)}`;
  }

  back(times, values, x, y, to) {
    let path = `L${x(to).toFixed(1)} ${y(values.at(-1)).toFixed(1)}`;
    for (let n = times.length - 1; n > 0; n--) if (values[n] !== values[n - 1]) path += `H${x(times[n]).toFixed(1)}V${y(values[n - 1]).toFixed(1)}`;
    return `${path}H${x(times[0]).toFixed(1)}`;
  }

  point(event) {
    const { left, width } = this.svg.getBoundingClientRect();
    const { times } = this.data;
    const [from, to] = [times[0], Math.max(this.data.end ?? times.at(-1), times[0] + 1)];
    const at = from + ((event.clientX - left - LEFT) / (width - LEFT - RIGHT)) * (to - from);
    let index = times.findIndex((each) => each > at) - 1;
    if (index === -2) index = times.length - 1;
    this.read(Math.max(0, index));
  }

  key(event) {
    const last = this.data.times.length - 1;
    const now = Math.min(this.at ?? last, last);
    const stride = event.shiftKey ? Math.max(1, Math.round(last / 12)) : 1;
    const to = { ArrowRight: now + stride, ArrowLeft: now - stride, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.read(Math.max(0, Math.min(last, to)));
  }

  read(index) {
    this.at = index;
    this.mark();
    this.onRead(index);
  }

  mark() {
    const isShown = this.at !== null && this.at < this.data.times.length;
    this.cursor.setAttribute("visibility", isShown ? "visible" : "hidden");
    if (!isShown) return;
    const x = this.x(this.data.times[this.at]);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
  }
}
