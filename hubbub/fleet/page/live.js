// A fleet as it is: one stream of events; when it is away the page says so, and since when.

import { Fleet, readFrame, readSpending, readStory } from "./fleet.js";
import { find } from "./dom.js";
import { clock, lasting } from "./say.js";

const AGAIN_MS = 2000;

export function live() {
  const fleet = new Fleet({ isReplay: false });
  let story = null;
  let lastMs = 0;
  let trouble = null; // what is wrong, or null
  let notes = ""; // what the engine wants a person to know
  let silentSince = null;

  const health = () => {
    const isOn = story !== null && trouble === null;
    find("dot").className = `dot ${isOn ? "on" : trouble ? "bad" : ""}`;
    const text = trouble ? "away" : isOn ? (Date.now() - lastMs > 15000 ? `live, ${lasting((Date.now() - lastMs) / 1000)} old` : "live") : "Connecting";
    if (find("health-text").textContent !== text) find("health-text").textContent = text;
    const said = trouble ?? notes;
    find("banner").hidden = said === "";
    if (find("banner").textContent !== said) find("banner").textContent = said;
  };
  const away = (told) => { trouble = told && `The scheduler has not answered since ${clock(told.since_s)}; what you see is from then. ${told.error}`; };

  const show = (frame) => {
    notes = frame.notes.join(" ");
    fleet.show(frame);
  };

  const handlers = {
    fleet(told) {
      story = readStory(told);
      fleet.tell(story);
      away(told.away);
      if (told.frame) show(readFrame(told.frame));
    },
    now(told) {
      if (story === null) return;
      trouble = null;
      const frame = readFrame(told.frame);
      story.tenants = told.tenants;
      if (story.isLastLoose) drop(story.history); // what the server left out of its history
      if (told.kept === "replaced") drop(story.history);
      add(story.history, frame.moment, told.tenants);
      story.isLastLoose = told.kept === "left";
      for (const day of told.money.map(readSpending)) {
        const at = story.money.findIndex((each) => each.day === day.day);
        if (at < 0) story.money.push(day); else story.money[at] = day;
      }
      show(frame);
    },
    away(told) { away(told); },
  };

  const connect = () => {
    const source = new EventSource("/api/live");
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        lastMs = Date.now();
        silentSince = null;
        handle(JSON.parse(event.data));
        health();
      });
    }
    source.addEventListener("error", () => {
      silentSince ??= Date.now() / 1000;
      trouble = `This page's own server has not answered since ${clock(silentSince)}; it is asked again.`;
      health();
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
    });
  };
  connect();
  setInterval(health, 5000);
}

const columns = (history) => [history.at_s, history.rented, history.num_waiting, history.num_gpus, history.num_owned, history.num_out, ...history.held.values(), ...history.drawn_kw.values(), ...history.cap_kw.values()];
const drop = (history) => { for (const column of columns(history)) column.pop(); };

function add(history, moment, tenants) {
  const length = history.at_s.length;
  for (const name of tenants) if (!history.held.has(name)) history.held.set(name, Array(length).fill(0));
  for (const kind of ["drawn_kw", "cap_kw"]) for (const site of moment[kind].keys()) if (!history[kind].has(site)) history[kind].set(site, Array(length).fill(0));
  history.at_s.push(moment.at_s);
  history.rented.push([...moment.rented.values()].reduce((sum, gpus) => sum + gpus, 0));
  for (const name of ["num_waiting", "num_gpus", "num_owned", "num_out"]) history[name].push(moment[name]);
  for (const [name, column] of history.held) column.push(moment.held.get(name) ?? 0);
  for (const kind of ["drawn_kw", "cap_kw"]) for (const [site, column] of history[kind]) column.push(moment[kind].get(site) ?? 0);
}
