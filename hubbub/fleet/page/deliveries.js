// Which shipment goes to whom, when it is switched on, and how long it stands idle until then.

import { Card, fit, square, stroke } from "./card.js";
import { draw } from "./dom.js";
import { variable } from "./palette.js";
import { count } from "./say.js";
import { figure, named } from "./table.js";

const ROW = 34;
const months = new Intl.DateTimeFormat("en-GB", { month: "short", year: "2-digit", timeZone: "UTC" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const at = (date) => Date.parse(date) / 86400e3;

export class Deliveries {
  constructor() {
    this.card = new Card("deliveries");
    fit(this.card.plot, () => this.view && !this.card.isEmpty && this.draw());
  }

  show(view) {
    this.view = view;
    const plan = view.story.deliveries;
    this.card.root.hidden = !plan && view.isReplay;
    if (!plan) return this.card.nothing("No orders were given. With --deliveries ORDERS.toml this shows who gets what when, and what a swap saves.");
    if (this.drawn === plan) return;
    this.drawn = plan;
    this.card.something();
    this.card.tell(`${count(plan.saved_gpu_days)} idle GPU-days saved: ${count(plan.idle_gpu_days_before)} as ordered, ${count(plan.idle_gpu_days)} so.`);
    this.names = [...new Set(plan.handings.map((each) => each.goes_to))];
    this.draw();
    this.card.key([...this.names.map((name) => [square(this.kind(name)), `to ${name}`]), [stroke("idle"), "idle: no place to switch it on"]]);
    this.card.behind("Deliveries", ["shipment", "arrives", "ordered by", "goes to", "GPUs", "switched on", "idle GPU-days"], () => plan.handings.map((each) => [named(each.shipment), days.format(Date.parse(each.arrives)), named(each.ordered_by), named(each.goes_to), figure(count(each.gpus)),
      each.switched_on ? days.format(Date.parse(each.switched_on)) : "nobody can", figure(each.switched_on ? count(each.gpus * (at(each.switched_on) - at(each.arrives))) : "-")]));
  }

  // A tenant has the colour that it has elsewhere; one that is only here, the next free.
  kind(name) { return variable(this.view.palette.number(name)).replace("--c", "f").replace("--rest", "f8"); }

  draw() {
    const width = this.card.plot.clientWidth;
    if (!width) return;
    const { handings } = this.view.story.deliveries;
    const dates = handings.flatMap((each) => [at(each.arrives), each.switched_on ? at(each.switched_on) : at(each.arrives)]);
    const [low, high] = [Math.min(...dates), Math.max(...dates)];
    const span = Math.max(30, high - low);
    const [from, to] = [low - span * 0.04, low + span * 1.12];
    const x = (day) => ((day - from) / (to - from)) * width;
    const height = handings.length * ROW + 30;
    const parts = [];
    let last = -100;
    for (let date = new Date(from * 86400e3); date.getTime() / 86400e3 < to; date = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1))) {
      const place = x(date.getTime() / 86400e3);
      if (place < 0 || date.getUTCDate() !== 1) continue;
      parts.push(draw("line", { class: "gridline", x1: place, x2: place, y1: 0, y2: height - 24 }));
      if (place - last > 58 && place < width - 24) { parts.push(draw("text", { x: place, y: height - 7, "text-anchor": "middle" }, months.format(date))); last = place; }
    }
    const most = Math.max(...handings.map((each) => each.gpus));
    handings.forEach((each, n) => {
      const [y, x0] = [n * ROW + 22, x(at(each.arrives))];
      const on = each.switched_on ? x(at(each.switched_on)) : width;
      const radius = 4 + 5 * Math.sqrt(each.gpus / most);
      if (on > x0) parts.push(draw("line", { class: "idle", x1: x0, x2: on, y1: y, y2: y }));
      parts.push(draw("circle", { class: this.kind(each.goes_to), cx: x0, cy: y, r: radius }));
      if (on > x0 && each.switched_on) parts.push(draw("circle", { class: this.kind(each.goes_to), cx: on, cy: y, r: 4 }));
      const isLate = x0 > width * 0.55;
      const swap = each.goes_to === each.ordered_by ? each.goes_to : `${each.ordered_by} \u2192 ${each.goes_to}`;
      parts.push(draw("text", { class: "strong", x: isLate ? x0 - radius - 5 : x0 + radius + 5, y: y - 8, "text-anchor": isLate ? "end" : "start" }, `${count(each.gpus)}  ${swap}`));
    });
    this.card.plot.replaceChildren(draw("svg", { class: "chart", role: "img", "aria-label": `Deliveries. ${this.card.found.textContent}`, viewBox: `0 0 ${width} ${height}`, height }, ...parts));
  }
}
