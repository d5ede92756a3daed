// The map of nodes, and what is wrong with those that are out.

import { Card, dotted, fit, square } from "./card.js";
import { ABSENT, DOWN, DRAINED, FIRST, FREE, NodeMap } from "./nodemap.js";
import { REST, variable } from "./palette.js";
import { count, plural } from "./say.js";
import { figure, named, words } from "./table.js";

const STATES = new Map([[FREE, "free"], [ABSENT, "not here"], [DOWN, "down"], [DRAINED, "drained"]]);

export class Nodes {
  constructor() {
    this.card = new Card("nodes");
    this.map = new NodeMap(this.card.plot, (pool, node, code) => this.describe(pool, node, code), (text) => { this.card.said.textContent = text; });
    fit(this.card.plot, () => this.view && this.show(this.view));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.view && this.show(this.view));
  }

  show(view) {
    this.view = view;
    const { frame, story } = view;
    this.why = new Map([...frame.lemons.map((each) => [each.node, `lemon: ${each.why}`]), ...frame.out.map((each) => [each.node, each.why])]);
    const codes = new Map([...frame.nodes].map(([pool, runs]) => [pool, unroll(runs)]));
    const tally = new Map();
    for (const each of codes.values()) for (const code of each) tally.set(code, (tally.get(code) ?? 0) + 1);
    const lemons = (pool) => new Set(frame.lemons.filter(({ node }) => node.startsWith(`${pool}-`)).map(({ node }) => Number(node.slice(pool.length + 1)) - 1));
    const pools = story.spec.pools.filter(({ name }) => codes.has(name)).map(({ name, is_rented: isRented }) => {
      const here = codes.get(name).filter((code) => code !== ABSENT).length;
      return { name, codes: codes.get(name), lemons: lemons(name), title: `${name}: ${plural(here, "node", "nodes")}${isRented ? ` rented, of ${count(codes.get(name).length)} to be had` : ""}` };
    });
    const parts = [`${plural(here(tally), "node", "nodes")}, ${count(tally.get(FREE) ?? 0)} free`];
    for (const [code, name] of [[DOWN, "down"], [DRAINED, "drained"]]) if (tally.get(code)) parts.push(`${count(tally.get(code))} ${name}`);
    if (frame.lemons.length) parts.push(plural(frame.lemons.length, "lemon", "lemons"));
    this.card.tell(`${parts.join(", ")}.`);
    this.map.show(pools, this.colors(view), this.card.found.textContent);
    this.keys(view, tally);
    this.card.behind("Nodes", ["what", "nodes", "why"], () => this.rows(tally));
  }

  colors(view) {
    const style = getComputedStyle(document.documentElement);
    const known = new Map();
    return (what) => {
      if (!known.has(what)) {
        const name = typeof what === "string" ? `--${what}` : what === FREE ? "--free" : what === ABSENT ? "--line" : what === DOWN ? "--down" : what === DRAINED ? "--drained" : variable(view.palette.number(this.tenant(what)) ?? REST);
        known.set(what, style.getPropertyValue(name).trim());
      }
      return known.get(what);
    };
  }

  tenant(code) { return this.view.story.tenants[Math.floor((code - FIRST) / 2)] ?? "?"; }

  describe(pool, node, code) {
    const name = `${pool}-${node + 1}`;
    const why = this.why.get(name);
    const what = code >= FIRST ? `${this.tenant(code)}${(code - FIRST) % 2 ? ", some GPUs free" : ""}` : STATES.get(code);
    return `${name}: ${what}${why ? ` (${why})` : ""}`;
  }

  keys(view, tally) {
    const names = view.story.tenants.filter((_, n) => tally.has(FIRST + 2 * n) || tally.has(FIRST + 2 * n + 1));
    const marks = view.palette.groups(names).map((group) => [square(group.kind), group.name]);
    marks.push([square("f9"), "free"]);
    if (tally.get(DOWN)) marks.push([square("f-down"), "down"]);
    if (tally.get(DRAINED)) marks.push([square("f-drained"), "drained"]);
    if (view.frame.lemons.length) marks.push([dotted("f-lemon"), "lemon: fails far too often"]);
    this.card.key(marks);
  }

  rows(tally) {
    const rows = [...tally].sort(([a], [b]) => a - b).map(([code, num]) => [code >= FIRST ? named(`${this.tenant(code)}${(code - FIRST) % 2 ? ", partly" : ""}`) : STATES.get(code), figure(count(num)), words("")]);
    const odd = [...this.view.frame.out.map((each) => [named(each.node), figure("1"), words(each.why || "out of order")]), ...this.view.frame.lemons.map((each) => [named(each.node), figure("1"), words(`lemon: ${each.why}`)])];
    return [...rows, ...odd.slice(0, 300)];
  }
}

const here = (tally) => [...tally].reduce((total, [code, num]) => total + (code === ABSENT ? 0 : num), 0);

function unroll(runs) {
  const codes = [];
  for (let n = 0; n < runs.length; n += 2) for (let left = runs[n + 1]; left > 0; left--) codes.push(runs[n]);
  return codes;
}
