// What GPUs cost by tenant and day: own and rented, by the prices of the fleet's file and by no others.

import { Card, fit, hatched, square } from "./card.js";
import { draw } from "./dom.js";
import { sum } from "./palette.js";
import { brief, dayName, usd, valueTicks } from "./say.js";
import { figure, named } from "./table.js";

const [HEIGHT, LEFT, BOTTOM, TOP] = [232, 50, 24, 26];
const IDLE = ""; // what nobody held
const told = (name) => name || "nobody (idle)";

export class Money {
  constructor() {
    this.card = new Card("money");
    fit(this.card.plot, () => this.view && !this.card.isEmpty && this.draw());
  }

  show(view) {
    this.view = view;
    const priced = view.story.spec.pools.filter((pool) => pool.usd_per_gpu_hour > 0);
    if (!priced.length) return this.card.nothing("The fleet's file states no price. Give its pools usd_per_gpu_hour, and what each tenant costs is counted here.");
    this.days = view.isReplay ? view.story.money.filter(({ day }) => day * 86400 <= view.frame.moment.at_s) : view.story.money;
    const prices = priced.map((pool) => `${pool.name} ${usd(pool.usd_per_gpu_hour)} a GPU-hour${pool.is_rented ? ", rented" : ", own"}`).join("; ");
    if (!this.days.length) return this.card.nothing(`Nothing was spent yet. Prices: ${prices}.`);
    this.card.something();
    const total = (kind) => sum(this.days.flatMap((day) => [...day[kind].values()]));
    const parts = [priced.some((pool) => pool.is_rented) ? `${usd(total("rented"))} rented` : null, priced.some((pool) => !pool.is_rented) ? `${usd(total("own"))} own` : null];
    this.card.tell(`${parts.filter(Boolean).join(", ")} ${view.isReplay ? "until this day's end" : "since this page began to look"}. Prices: ${prices}.`);
    this.names = [...view.story.tenants.filter((name) => this.days.some((day) => day.own.has(name) || day.rented.has(name))), ...(this.days.some((day) => day.own.has(IDLE) || day.rented.has(IDLE)) ? [IDLE] : [])];
    this.draw();
    const groups = this.groups();
    const hasBoth = total("own") > 0 && total("rented") > 0;
    this.card.key([...groups.map((group) => [square(group.kind), told(group.name), usd(sum(this.days.map((day) => both(day, group.names))))]), ...(hasBoth ? [[hatched("f8"), "hatched: rented"]] : [])]);
    this.card.behind("Money by tenant and day", ["tenant", ...this.days.flatMap((day) => [`${dayName(day.day)}, own`, "rented"]), "all"], () => this.names.map((name) => [named(told(name)), ...this.days.flatMap((day) => [figure(usd(day.own.get(name) ?? 0)), figure(usd(day.rented.get(name) ?? 0))]), figure(usd(sum(this.days.map((day) => both(day, [name])))))]));
  }

  groups() {
    const groups = this.view.palette.groups(this.names.filter((name) => name !== IDLE));
    return this.names.includes(IDLE) ? [...groups, { kind: "f9", name: IDLE, names: [IDLE] }] : groups;
  }

  draw() {
    const width = this.card.plot.clientWidth;
    if (!width) return;
    const days = this.days;
    const high = valueTicks(Math.max(...days.map((day) => both(day, this.names)), 1e-6));
    const y = (value) => HEIGHT - BOTTOM - (value / high.at(-1)) * (HEIGHT - TOP - BOTTOM);
    const pitch = (width - LEFT - 8) / days.length;
    const bar = Math.min(64, pitch * 0.72);
    const parts = [draw("text", { x: 0, y: 11 }, "$ a day"), ...high.map((value) => draw("g", {}, draw("line", { class: "gridline", x1: LEFT, x2: width - 8, y1: y(value), y2: y(value) }), draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, brief(value))))];
    const stride = Math.ceil(52 / pitch);
    days.forEach((day, n) => {
      const x = LEFT + n * pitch + (pitch - bar) / 2;
      let below = 0;
      for (const group of this.groups()) {
        for (const kind of ["own", "rented"]) {
          const value = sum(group.names.map((name) => day[kind].get(name) ?? 0));
          if (value <= 0) continue;
          const [low, top] = [y(below), y(below + value)];
          below += value;
          parts.push(draw("rect", { class: `band ${group.kind}`, x, y: top, width: bar, height: low - top }));
          if (kind === "rented") parts.push(draw("path", { class: "hatch", d: stripes(x, top, bar, low - top) }));
        }
      }
      if (n % stride === 0) parts.push(draw("text", { x: x + bar / 2, y: HEIGHT - 6, "text-anchor": "middle" }, dayName(day.day)));
    });
    parts.push(draw("line", { class: "axis", x1: LEFT, x2: width - 8, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }));
    const label = `Money by tenant and day. ${this.card.found.textContent}`;
    this.card.plot.replaceChildren(draw("svg", { class: "chart", role: "img", "aria-label": label, viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT }, ...parts));
  }
}

const both = (day, names) => sum(names.map((name) => (day.own.get(name) ?? 0) + (day.rented.get(name) ?? 0)));

// Slanted lines within a box, cut where it ends.
function stripes(x, y, width, height) {
  let path = "";
  for (let at = 6; at < width + height; at += 8) {
    const [x0, y0] = at < height ? [0, at] : [at - height, height];
    const [x1, y1] = at < width ? [at, 0] : [width, at - width];
    path += `M${(x + x0).toFixed(1)} ${(y + y0).toFixed(1)}L${(x + x1).toFixed(1)} ${(y + y1).toFixed(1)}`;
  }
  return path || "M0 0";
}

