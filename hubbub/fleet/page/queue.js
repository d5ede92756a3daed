// Who waits, why, until when; and how many did over time.

import { fit, replace } from "./card.js";
import { find, make } from "./dom.js";
import { clock, count, lasting, plural } from "./say.js";
import { figure, named, table, words } from "./table.js";
import { TimeChart } from "./timechart.js";

export class Queue {
  constructor() {
    this.root = find("queue");
    this.found = make("p", { class: "found" });
    this.plot = make("div", { class: "plot" });
    this.said = make("p", { class: "said", "aria-live": "polite" });
    this.root.append(this.found, this.plot, this.said);
    this.chart = new TimeChart(this.plot, 96, (index) => this.read(index));
    fit(this.plot, () => this.chart.draw());
  }

  show(view) {
    this.view = view;
    const { history } = view.story;
    const { queue, moment } = view.frame;
    const num = moment.num_waiting;
    const text = num === 0 ? "Nobody waits." : `${plural(num, "job waits", "jobs wait")}${queue.length < num ? `; ${count(queue.length)} of them are listed, who is next first` : ""}.`;
    this.found.textContent = text;
    this.plot.hidden = Math.max(...history.num_waiting) === 0;
    if (!this.plot.hidden) this.chart.show({ times: history.at_s, bands: [{ kind: "f8", values: history.num_waiting }], unit: "jobs", cursor: view.cursor, end: view.end, label: `Jobs that wait, over time. ${text}` });
    const rows = queue.map((each) => [named(each.job, undefined, each.name === each.job ? "" : each.name), named(each.tenant, view.palette.color(each.tenant)), figure(count(each.gpus)),
      figure(lasting(Math.max(0, moment.at_s - each.since_s))), words(each.why), this.start(each, moment.at_s)]);
    if (rows.length) replace(this.root, table(text, ["job", "tenant", "GPUs", "waits", "why", view.isReplay ? "started" : "starts"], rows));
    else this.root.querySelector(".table")?.remove();
  }

  start(each, now) {
    if (each.start_s === null || each.start_s === undefined) return this.view.isReplay ? "not by the end" : "not foreseen";
    return each.start_s <= now + 1 ? "now" : `${clock(each.start_s)} (in ${lasting(each.start_s - now)})`;
  }

  read(index) {
    const { history } = this.view.story;
    this.said.textContent = index === null ? "" : `${clock(history.at_s[index])}: ${plural(history.num_waiting[index], "job waits", "jobs wait")}`;
  }
}
