// Posts over time as bars: one bar, or several dragged over, narrow a search; arrow keys and Enter do the same.

import { draw, make } from "./dom.js";
import { period } from "./time.js";
import { count, number, say } from "./words.js";

const WIDTH = 10; // of a bar and its gap, in units of the drawing; the page stretches it
const HEIGHT = 60;
const GAPS = [2, 6]; // between many bars, between few
const FEW = 12;

// `onPick(from_us, to_us)` is told what was chosen.
export function timeline({ from_us: start, step_us: step, counts }, onPick) {
  const most = Math.max(...counts);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const posts = (n) => count(n, "post_one", "posts");
  const when = (first, last) => period(start + first * step, start + (last + 1) * step);
  const gap = GAPS[Number(counts.length < FEW)];
  const bars = counts.map((n, at) => bar(n, at, most, gap, say("timeline_bar", { when: when(at, at), posts: posts(n) })));
  const picture = draw("svg", { class: "bars", viewBox: `0 0 ${counts.length * WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "group", "aria-label": say("timeline") }, ...bars);
  const said = make("p", { class: "said" }, say("timeline_hint"));
  const ends = make("p", { class: "ends", "aria-hidden": "true" }, make("span", {}, period(start, start)), make("span", {}, period(start + counts.length * step, start + counts.length * step)));
  const peak = counts.indexOf(most);
  const text = say("timeline_text", { from: period(start, start), to: period(start + counts.length * step, start + counts.length * step), posts: posts(total), n: number(most), when: when(peak, peak) });

  let anchor = null; // where dragging or choosing with the shift key began
  let at = 0;
  const mark = (first, last) => {
    bars.forEach((each, n) => each.classList.toggle("chosen", n >= first && n <= last));
    const n = counts.slice(first, last + 1).reduce((sum, each) => sum + each, 0);
    said.textContent = first > last ? say("timeline_hint") : say("timeline_chosen", { when: when(first, last), posts: posts(n) });
  };
  const between = () => [Math.min(anchor ?? at, at), Math.max(anchor ?? at, at)];
  const show = () => mark(...between());
  const pick = () => {
    const [first, last] = between();
    anchor = null;
    onPick(start + first * step, start + (last + 1) * step);
  };
  const under = (event) => {
    const { left, width } = picture.getBoundingClientRect();
    return Math.max(0, Math.min(counts.length - 1, Math.floor(((event.clientX - left) / width) * counts.length)));
  };
  let isDragging = false;
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    isDragging = true;
    anchor = at = under(event);
    show();
  });
  picture.addEventListener("pointermove", (event) => {
    at = under(event);
    if (!isDragging) anchor = null;
    show();
  });
  picture.addEventListener("pointerup", (event) => {
    if (!isDragging) return;
    isDragging = false;
    at = under(event);
    pick();
  });
  const leave = () => { isDragging = false; anchor = null; mark(0, -1); };
  picture.addEventListener("pointerleave", leave);
  picture.addEventListener("pointercancel", leave);
  picture.addEventListener("click", (event) => { // a screen reader's, which comes without a pointer
    if (event.detail === 0 && event.target.closest(".slot")) { at = bars.indexOf(event.target.closest(".slot")); pick(); }
  });
  picture.addEventListener("keydown", (event) => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: counts.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") pick();
    else if (to === undefined) return;
    else {
      anchor = event.shiftKey ? anchor ?? at : null;
      bars[at].setAttribute("tabindex", "-1");
      at = Math.max(0, Math.min(counts.length - 1, to));
      bars[at].setAttribute("tabindex", "0");
      bars[at].focus();
      show();
    }
    event.preventDefault();
  });
  picture.addEventListener("focusin", (event) => { if (!isDragging) { at = Math.max(0, bars.indexOf(event.target.closest(".slot"))); show(); } });
  picture.addEventListener("focusout", () => { if (!isDragging) mark(0, -1); });
  return make("figure", { class: "timeline" }, make("figcaption", { class: "hidden" }, text), picture, ends, said);
}

function bar(n, at, most, gap, label) {
  const height = n && Math.max(3, (n / most) * (HEIGHT - 4));
  const x = at * WIDTH;
  return draw("g", { class: "slot", role: "button", tabindex: at === 0 ? 0 : -1, "aria-label": label },
    draw("rect", { class: "ground", x, y: 0, width: WIDTH, height: HEIGHT }),
    draw("rect", { class: "bar", x: x + gap / 2, y: HEIGHT - height, width: WIDTH - gap, height }));
}

// A small picture of how often something was said, for the side of a row.
export function sparkline(counts) {
  const most = Math.max(1, ...counts);
  const step = 120 / Math.max(1, counts.length - 1);
  const points = counts.map((n, at) => `${(at * step).toFixed(1)},${(30 - (n / most) * 26).toFixed(1)}`);
  return draw("svg", { class: "spark", viewBox: "0 0 120 32", role: "img", "aria-label": say("curve", { n: number(Math.max(...counts)), last: number(counts.at(-1)) }) },
    draw("polygon", { class: "under", points: `0,32 ${points.join(" ")} 120,32` }),
    draw("polyline", { class: "line", points: points.join(" ") }));
}
