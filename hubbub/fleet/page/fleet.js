// All pictures of one fleet, from a story and one frame of it; the same for a live fleet and for a replay.

import { find, make } from "./dom.js";
import { Deliveries } from "./deliveries.js";
import { Gpus, Tenants } from "./gpus.js";
import { Money } from "./money.js";
import { Nodes } from "./nodes.js";
import { Palette, sum } from "./palette.js";
import { Power } from "./power.js";
import { Queue } from "./queue.js";
import { count, kw, percent, plural, usd } from "./say.js";

const asMap = (object) => new Map(Object.entries(object));

// Names are people's: they are keys of maps, never of objects, in which some names mean something.
export function readStory(told) {
  const { history } = told;
  return { ...told, history: { ...history, held: asMap(history.held), drawn_kw: asMap(history.drawn_kw), cap_kw: asMap(history.cap_kw) }, money: told.money.map(readSpending) };
}
export const readSpending = (day) => ({ ...day, own: asMap(day.own), rented: asMap(day.rented) });
export function readFrame(told) {
  const { moment } = told;
  return { ...told, nodes: asMap(told.nodes), moment: { ...moment, held: asMap(moment.held), rented: asMap(moment.rented), drawn_kw: asMap(moment.drawn_kw), cap_kw: asMap(moment.cap_kw) } };
}

export class Fleet {
  constructor({ isReplay }) {
    this.isReplay = isReplay;
    this.pictures = [new Gpus(), new Tenants(find("tenants")), new Power(), new Nodes(), new Queue(), new Deliveries(), new Money()];
  }

  // A new story may have other tenants, and so other colours.
  tell(story) {
    this.story = story;
    this.palette = new Palette(story);
    find("where").textContent = story.url ?? "";
  }

  show(frame, { cursor, end } = {}) {
    const view = { story: this.story, palette: this.palette, frame, cursor, end, isReplay: this.isReplay };
    this.tiles(view);
    for (const picture of this.pictures) picture.show(view);
  }

  tiles({ frame: { moment, tenants, lemons }, story: { spec } }) {
    const held = sum([...moment.held.values()]);
    const rented = sum([...moment.rented.values()]);
    const [drawn, cap] = [sum([...moment.drawn_kw.values()]), sum([...moment.cap_kw.values()])];
    const running = sum(tenants.map((each) => each.num_running));
    const tiles = [["GPUs at work", count(held), `of ${count(moment.num_gpus)} here`]];
    if (spec.pools.some((pool) => pool.is_rented)) tiles.push(["rented", count(rented), rented ? `of those at work` : "none at work"]);
    tiles.push(["jobs run", count(running), ""], ["jobs wait", count(moment.num_waiting), ""]);
    if (moment.cap_kw.size) tiles.push(["power", kw(drawn), `${percent(drawn / Math.max(cap, 1e-9))} of ${kw(cap)}`, drawn > cap + 1e-6]);
    tiles.push(["nodes out", count(moment.num_out), lemons.length ? plural(lemons.length, "lemon", "lemons") : ""]);
    const price = new Map(spec.pools.map((pool) => [pool.name, pool.is_rented ? pool.usd_per_gpu_hour : 0]));
    if ([...price.values()].filter(Boolean).length === 1 && rented) tiles.push(["rent now", usd(rented * Math.max(...price.values())), "an hour"]);
    find("figures").replaceChildren(...tiles.map(([name, value, more, isBad]) => make("div", { class: isBad ? "is-bad" : null }, make("dt", {}, name), make("dd", {}, value, more ? make("small", {}, more) : null))));
  }
}
