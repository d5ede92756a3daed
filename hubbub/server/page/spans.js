// Offsets: the house counts code points, strings of this language count UTF-16 units.

export function toUnits(text, points) {
  let unit = 0;
  for (let left = points; left > 0 && unit < text.length; left--) {
    unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
  }
  return unit;
}

export function slicePoints(text, start, end) {
  const from = toUnits(text, start);
  return text.slice(from, from + toUnits(text.slice(from), end - start));
}

// Cuts a text into pieces {text, marked}; spans are [start, end) in code points and may overlap.
export function cutAtSpans(text, spans) {
  const pieces = [];
  let at = 0;
  const add = (until, marked) => {
    if (until > at) pieces.push({ text: text.slice(at, until), marked });
    at = Math.max(at, until);
  };
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0])) {
    add(toUnits(text, start), false);
    add(toUnits(text, end), true);
  }
  add(text.length, false);
  return pieces;
}

// Shortens a text to a number of code points, never inside one.
export function clip(text, points) {
  const end = toUnits(text, points);
  return end < text.length ? text.slice(0, end).trimEnd() + "\u2026" : text;
}
