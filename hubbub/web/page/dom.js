// Makes elements; text only ever becomes text. Nothing on this page parses markup.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// The same for a drawing.
export function draw(tag, properties = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const find = (id) => document.getElementById(id);

let clearing = 0;

// Says something to a screen reader without moving its focus.
export function announce(text) {
  const notice = find("notice");
  notice.textContent = "";
  clearTimeout(clearing);
  // A status that is set in the same frame in which it was emptied is not read.
  clearing = setTimeout(() => { notice.textContent = text; }, 50);
}
