// GPUs by tenant over time, and who holds what now.

import { make } from "./dom.js";
import { Card, fit, replace, square, stroke } from "./card.js";
import { sum } from "./palette.js";
import { clock, count, lasting, percent, plural } from "./say.js";
import { figure, named, table } from "./table.js";
import { TimeChart } from "./timechart.js";

export class Gpus {
  constructor() {
    this.card = new Card("gpus");
    this.chart = new TimeChart(this.card.plot, 270, (index) => this.read(index));
    fit(this.card.plot, () => this.chart.draw());
  }

  show(view) {
    this.view = view;
    const { history, tenants } = view.story;
    this.groups = view.palette.groups(tenants).map((group) => ({ ...group, values: history.at_s.map((_, n) => sum(group.names.map((name) => history.held.get(name)?.[n] ?? 0))) }));
    const { moment } = view.frame;
    const held = sum([...moment.held.values()]);
    const rented = sum([...moment.rented.values()]);
    this.card.tell(`${count(held)} GPUs work, ${percent(held / Math.max(moment.num_gpus, 1))} of those that are here${rented ? `; ${count(rented)} of them are rented` : ""}.`);
    const rules = [{ kind: "rule", values: history.num_owned }];
    this.chart.show({ times: history.at_s, bands: this.groups, rules, unit: "GPUs", cursor: view.cursor, end: view.end, label: `GPUs by tenant over time. ${this.card.found.textContent}` });
    this.card.key([...this.groups.map((group) => [square(group.kind), group.name, count(sum(group.names.map((name) => moment.held.get(name) ?? 0)))]), [stroke("rule"), "owned", count(moment.num_owned)]]);
    this.card.behind("GPUs by tenant over time", ["time", ...tenants, "rented", "here"], () => this.rows());
    this.read(this.chart.at);
  }

  rows() {
    const { history, tenants } = this.view.story;
    return sample(history.at_s.length).map((n) => [clock(history.at_s[n]), ...tenants.map((name) => figure(count(history.held.get(name)?.[n] ?? 0))), figure(count(history.rented[n])), figure(count(history.num_gpus[n]))]);
  }

  read(index) {
    if (index === null || !this.view) { this.card.said.textContent = ""; return; }
    const { history } = this.view.story;
    const told = this.groups.filter((group) => group.values[index]).map((group) => `${group.name} ${count(group.values[index])}`);
    this.card.said.textContent = `${clock(history.at_s[index])}: ${told.join(", ") || "nothing runs"}`;
  }
}

const MOST_ROWS = 120;
// Moments for a table: not more than somebody would read, the last always.
export function sample(length) {
  const step = Math.max(1, Math.ceil(length / MOST_ROWS));
  const picked = [];
  for (let n = length - 1; n >= 0; n -= step) picked.push(n);
  return picked;
}

export class Tenants {
  constructor(root) {
    this.root = make("div");
    this.jobs = make("div");
    this.head = make("h2", { class: "second" }, "The largest jobs that run");
    root.append(this.root, this.head, this.jobs);
  }

  show(view) {
    const rents = view.story.spec.pools.some((pool) => pool.is_rented);
    const header = ["tenant", "prio", "guar.", "held", "borrowed", ...(rents ? ["rented"] : []), "run", "wait"];
    const rows = view.frame.tenants.map((each) => [named(each.tenant, view.palette.color(each.tenant)),
      ...[each.priority, each.guaranteed, each.held, each.borrowed, ...(rents ? [each.rented] : []), each.num_running, each.num_waiting].map((n) => figure(count(n)))]);
    replace(this.root, table(`Who holds what: ${plural(rows.length, "tenant", "tenants")}`, header, rows));
    const { running, moment } = view.frame;
    this.head.hidden = this.jobs.hidden = running.length === 0;
    replace(this.jobs, table("The largest jobs that run", ["job", "GPUs", "for", "ends"], running.map((each) => [named(each.job, view.palette.color(each.tenant), each.name === each.job ? "" : each.name), figure(count(each.gpus)), figure(lasting(Math.max(0, moment.at_s - each.started_s))), figure(each.ends_s > moment.at_s + 3e7 ? "open" : clock(each.ends_s))])));
  }
}
