// What each site draws against its cap, with the events of the grid.

import { Card, fit, square, stroke } from "./card.js";
import { clock, kw, lasting, percent } from "./say.js";
import { figure } from "./table.js";
import { make } from "./dom.js";
import { TimeChart } from "./timechart.js";
import { sample } from "./gpus.js";

export class Power {
  constructor() {
    this.card = new Card("power");
    this.charts = new Map();
    fit(this.card.plot, () => { for (const { chart } of this.charts.values()) chart.draw(); });
  }

  show(view) {
    this.view = view;
    const { spec, history } = view.story;
    const sites = [...history.drawn_kw.keys()];
    if (!sites.length) return this.card.nothing("The fleet's file describes no site, so that no cap limits what it draws.");
    this.card.something();
    const { drawn_kw: drawn, cap_kw: cap, at_s: now } = view.frame.moment;
    const isOver = sites.some((site) => drawn.get(site) > cap.get(site) + 1e-6);
    const told = sites.map((site) => `${site} draws ${kw(drawn.get(site))} of ${kw(cap.get(site))}`);
    const next = spec.events.filter((event) => event.start_s > now).sort((a, b) => a.start_s - b.start_s)[0];
    const coming = next ? ` Next event: ${percent(next.cut)} less from ${clock(next.start_s)} for ${lasting(next.end_s - next.start_s)}.` : "";
    this.card.tell(`${told.join("; ")}${isOver ? ": ABOVE ITS CAP" : ""}.${coming}`);
    for (const site of sites) this.site(view, site, sites.length);
    this.card.key([[square("f6"), "drawn"], [stroke("rule"), "cap"], ...(spec.events.length ? [[square("event"), "the grid asks for less"]] : [])]);
    this.card.behind("Power against the cap", ["time", ...sites.flatMap((site) => [`${site}, drawn`, "cap"])], () => sample(history.at_s.length).map((n) => [clock(history.at_s[n]), ...sites.flatMap((each) => [figure(kw(history.drawn_kw.get(each)[n])), figure(kw(history.cap_kw.get(each)[n]))])]));
  }

  site(view, site, num) {
    const { spec, history } = view.story;
    if (!this.charts.has(site)) {
      const host = make("div", {}, num > 1 ? make("h3", {}, site) : null);
      this.card.plot.append(host);
      this.charts.set(site, { chart: new TimeChart(host, num > 1 ? 140 : 270, (index) => this.read(site, index)) });
    }
    const areas = spec.events.filter((event) => event.site === site).map((event) => ({ start: event.start_s, end: event.end_s, text: `${percent(event.cut)} less` }));
    const isLarge = Math.max(...history.cap_kw.get(site)) >= 1000;
    this.charts.get(site).chart.show({ times: history.at_s, bands: [{ kind: "f6", values: history.drawn_kw.get(site) }], rules: [{ kind: "rule", values: history.cap_kw.get(site) }], areas, unit: isLarge ? "MW" : "kW", scale: isLarge ? 1000 : 1, isWhole: false, cursor: view.cursor, end: view.end, label: `Power of ${site} over time. ${this.card.found.textContent}` });
  }

  read(site, index) {
    const { history } = this.view.story;
    this.card.said.textContent = index === null ? "" : `${clock(history.at_s[index])}: ${site} ${kw(history.drawn_kw.get(site)[index])} of ${kw(history.cap_kw.get(site)[index])}`;
  }
}

