// How the framed answer looks: what the page around it asks for, as far as that can be read.

const COLOUR = /^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i;
const FONT = /^[\p{L}\p{N} ,'"-]{1,120}$/u;
const LEAST = 4.5; // contrast of text with its ground, WCAG 2.2, 1.4.3

export function applyTheme(wanted) {
  const root = document.documentElement;
  if (["light", "dark"].includes(wanted.get("theme"))) root.dataset.theme = wanted.get("theme");
  const set = (name, value) => root.style.setProperty(name, value);
  const current = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const font = wanted.get("font") ?? "";
  if (FONT.test(font)) set("--sans", font);
  const ground = colour(wanted.get("background"));
  const ink = colour(wanted.get("ink"));
  if (ground && contrast(ground, ink ?? current("--ink")) >= LEAST) set("--sheet", ground);
  if (ink && contrast(ink, current("--sheet")) >= LEAST) set("--ink", ink);
  const soft = current("--soft");
  if (contrast(soft, current("--sheet")) < LEAST) set("--soft", current("--ink"));
  const accent = colour(wanted.get("accent"));
  const tint = current("--tint");
  if (accent && contrast(accent, current("--sheet")) >= LEAST) {
    set("--accent", accent);
    set("--on-accent", contrast(accent, "#ffffff") >= LEAST ? "#ffffff" : "#000000");
    if (contrast(accent, tint) < LEAST) set("--tint", current("--sheet"));
  }
}

const colour = (text) => (COLOUR.test(text ?? "") ? text : null);

function contrast(one, other) {
  const [a, b] = [light(one), light(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function light(hex) {
  const digits = hex.slice(1);
  const parts = digits.length === 3 ? [...digits].map((digit) => digit + digit) : digits.match(/../g);
  const [r, g, b] = parts.map((part) => parseInt(part, 16) / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
