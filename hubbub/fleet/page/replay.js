// A simulation, moment by moment: a slider over its frames, or playing; all of it lies in this one file.

import { Fleet, readFrame, readStory } from "./fleet.js";
import { find, make } from "./dom.js";
import { clock, count, countDays } from "./say.js";
import { figure, named, table } from "./table.js";

const FRAME_MS = 120;

export async function replay(packed) {
  countDays();
  const told = JSON.parse(await unpack(packed));
  const story = readStory(told);
  const frames = told.frames;
  const fleet = new Fleet({ isReplay: true });
  fleet.tell(story);
  for (const [id, text] of [["where", ""], ["lead", told.lead], ["foot", told.foot]]) { find(id).textContent = text; find(id).hidden = !text; }
  document.title = told.title;
  const [slider, play] = [find("at"), find("play")];
  slider.max = frames.length - 1;
  let shown = -1;
  const show = () => {
    const at = Number(slider.value);
    if (at === shown) return;
    shown = at;
    const frame = readFrame(frames[at]);
    const text = clock(frame.moment.at_s);
    find("at-text").textContent = text;
    slider.setAttribute("aria-valuetext", text);
    fleet.show(frame, { cursor: frame.moment.at_s, end: told.end_s });
  };
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; play.setAttribute("aria-pressed", "false"); };
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) >= frames.length - 1) slider.value = 0;
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (Number(slider.value) >= frames.length - 1) stop();
    }, FRAME_MS);
  });
  slider.addEventListener("input", () => { stop(); show(); });
  find("player").hidden = false;
  slider.value = told.start_at;
  show();
  outcome(told, fleet);
  find("dot").className = "dot on";
  find("health-text").textContent = "replayed";
}

function outcome(told, fleet) {
  const header = ["tenant", "jobs", "GPU-hours", "wait, mean h", "median h", "95th percentile h", "preempted", "failed", "lost GPU-hours", "ETTR"];
  const hours = (seconds) => figure((seconds / 3600).toFixed(2));
  const rows = told.outcome.map((each) => [named(each.tenant, fleet.palette.color(each.tenant)), figure(count(each.num_jobs)), figure(count(each.gpu_hours)), hours(each.wait_mean_s), hours(each.wait_median_s), hours(each.wait_p95_s),
    figure(count(each.num_preempted)), figure(count(each.num_failed)), figure(count(each.lost_gpu_hours)), figure(each.ettr.toFixed(3))]);
  const root = find("outcome");
  root.append(make("p", { class: "found" }, "ETTR: the share of GPU-time held that is work that counts."), table("What each tenant got", header, rows));
  root.hidden = false;
}

async function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}
