// The place in the address line: #ask=..., #search=...&sort=..., #post=..., #trends; back and forward work.

const views = new Map(); // name -> shows that view for the values of its address
const left = new Map(); // name -> the address at which it was left
const places = new Map(); // address -> how far down it was read
let here = "";

export const register = (name, show) => views.set(name, show);

// Goes to an address of the page; with `isQuiet` back leads past the one that is left.
export function visit(values, isQuiet = false) {
  const parts = Object.entries(values).filter(([, value]) => value !== null);
  go("#" + parts.map(([name, value]) => name + (value === "" ? "" : "=" + encodeURIComponent(value))).join("&"), isQuiet);
}

// Goes back to a view as it was left.
export const revisit = (name, isQuiet) => go(left.get(name) ?? `#${name}`, isQuiet);

// What a link within the page points to.
export const addressOf = (name, value) => `#${name}=${encodeURIComponent(value)}`;

export function startRouting() {
  history.scrollRestoration = "manual";
  window.addEventListener("popstate", () => follow(true));
  follow(true);
}

function go(address, isQuiet = false) {
  if (address !== location.hash) history[isQuiet ? "replaceState" : "pushState"](null, "", address);
  follow(false);
}

function follow(isReturn) {
  places.set(here, window.scrollY);
  here = location.hash;
  const values = Object.fromEntries(new URLSearchParams(here.slice(1)));
  const name = Object.keys(values).find((each) => views.has(each)) ?? "ask";
  left.set(name, here || "#ask");
  views.get(name)(values);
  window.scrollTo(0, isReturn ? places.get(here) ?? 0 : 0);
}
