// One small cell a node on a canvas: who works there, what is free, what is broken. Arrow keys and pointer read a node.

import { make } from "./dom.js";

export const [FREE, ABSENT, DOWN, DRAINED, FIRST] = [0, 1, 2, 3, 4];
const HEIGHT = 250; // of all pools together, about
const LARGEST = 40;

export class NodeMap {
  // `onRead(text)` is told about the node that is pointed at; `describe(pool, node, code)` says what it is.
  constructor(host, describe, onRead) {
    Object.assign(this, { host, describe, onRead, pools: new Map(), share: 1 });
  }

  // pools: [{name, title, codes: Uint8Array | number[], lemons: Set}], colors: (code) => css colour
  show(pools, colors, label) {
    const total = pools.reduce((sum, each) => sum + each.codes.length, 0);
    for (const [name, { root }] of this.pools) if (!pools.some((each) => each.name === name)) { root.remove(); this.pools.delete(name); }
    const width = this.host.clientWidth;
    if (!width) return;
    const size = Math.max(3, Math.min(LARGEST, Math.floor(Math.sqrt((width * HEIGHT) / Math.max(total, 1)))));
    for (const each of pools) {
      const entry = this.pools.get(each.name) ?? this.add(each.name);
      Object.assign(entry, each, { size, perRow: Math.max(1, Math.floor(width / size)) });
      entry.heading.textContent = each.title;
      entry.canvas.setAttribute("aria-label", `${each.title}. ${label}`);
      this.paint(entry, width, colors);
    }
  }

  add(name) {
    const canvas = make("canvas", { class: "map", tabindex: "0", role: "img" });
    const heading = make("h3");
    const root = make("div", { class: "pool" }, heading, canvas);
    const entry = { root, heading, canvas, at: null };
    canvas.addEventListener("pointermove", (event) => this.point(entry, event));
    canvas.addEventListener("pointerdown", (event) => this.point(entry, event));
    for (const kind of ["pointerleave", "blur"]) canvas.addEventListener(kind, () => this.read(entry, null));
    canvas.addEventListener("keydown", (event) => this.key(entry, event));
    this.host.append(root);
    this.pools.set(name, entry);
    return entry;
  }

  paint(entry, width, colors) {
    const { canvas, codes, lemons, size, perRow, at } = entry;
    const ratio = window.devicePixelRatio || 1;
    const rows = Math.ceil(codes.length / perRow);
    canvas.style.height = `${rows * size}px`;
    canvas.width = width * ratio;
    canvas.height = rows * size * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const gap = size > 3 ? 1 : 0.5;
    const side = size - gap;
    entry.colors = colors;
    for (let node = 0; node < codes.length; node++) {
      const [x, y, code] = [(node % perRow) * size, Math.floor(node / perRow) * size, codes[node]];
      const isPart = code >= FIRST && (code - FIRST) % 2 === 1;
      pen.fillStyle = isPart ? colors(FREE) : colors(code);
      if (code === ABSENT) { if (size > 5) { pen.strokeStyle = colors(ABSENT); pen.strokeRect(x + .5, y + .5, side - 1, side - 1); } continue; }
      pen.fillRect(x, y, side, side);
      if (isPart) { pen.fillStyle = colors(code); pen.beginPath(); pen.moveTo(x, y); pen.lineTo(x + side, y + side); pen.lineTo(x, y + side); pen.fill(); }
      if (code === DOWN && size > 6) this.cross(pen, x, y, side, colors("paper"), true);
      if (code === DRAINED && size > 6) this.cross(pen, x, y, side, colors("paper"), false);
    }
    for (const node of lemons) this.lemon(pen, (node % perRow) * size + side / 2, Math.floor(node / perRow) * size + side / 2, Math.max(2.4, side / 4), colors);
    if (at !== null) { pen.strokeStyle = colors("ink"); pen.lineWidth = 1.5; pen.strokeRect((at % perRow) * size - .5, Math.floor(at / perRow) * size - .5, side + 1, side + 1); }
  }

  cross(pen, x, y, side, color, isBoth) {
    pen.strokeStyle = color;
    pen.lineWidth = Math.max(1, side / 10);
    pen.beginPath();
    pen.moveTo(x + side * .25, y + side * .25); pen.lineTo(x + side * .75, y + side * .75);
    if (isBoth) { pen.moveTo(x + side * .75, y + side * .25); pen.lineTo(x + side * .25, y + side * .75); }
    pen.stroke();
  }

  lemon(pen, x, y, radius, colors) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = colors("lemon");
    pen.fill();
    pen.strokeStyle = "#2b2200";
    pen.lineWidth = 1;
    pen.stroke();
  }

  point(entry, event) {
    const { left, top } = entry.canvas.getBoundingClientRect();
    const [column, row] = [Math.floor((event.clientX - left) / entry.size), Math.floor((event.clientY - top) / entry.size)];
    const node = row * entry.perRow + column;
    this.read(entry, column >= 0 && column < entry.perRow && node >= 0 && node < entry.codes.length ? node : null);
  }

  key(entry, event) {
    const { at, perRow, codes } = entry;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow, ArrowUp: -perRow }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? codes.length - 1 : step === undefined ? null : at === null ? 0 : at + step;
    if (to === null) return;
    event.preventDefault();
    if (to >= 0 && to < codes.length) this.read(entry, to);
  }

  read(entry, node) {
    if (entry.at === node) return;
    entry.at = node;
    this.paint(entry, this.host.clientWidth, entry.colors);
    this.onRead(node === null ? "" : this.describe(entry.name, node, entry.codes[node]));
  }
}
