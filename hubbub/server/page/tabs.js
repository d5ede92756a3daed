// The tabs: arrow keys move between them, one panel is open at a time; on wide screens the live column always is.

import { find } from "./dom.js";

const names = ["ask", "search", "trends", "live"];
const wide = window.matchMedia("(min-width: 900px)");
let open = "ask";

const usable = () => (wide.matches ? names.slice(0, 3) : names);

export function openTab(name, takesFocus = false) {
  open = usable().includes(name) ? name : "ask";
  for (const each of names) {
    const tab = find(`tab-${each}`);
    tab.setAttribute("aria-selected", String(each === open));
    tab.tabIndex = each === open ? 0 : -1;
    find(each).hidden = each !== open && !(each === "live" && wide.matches);
  }
  document.body.dataset.view = open;
  document.dispatchEvent(new CustomEvent("opentab", { detail: open }));
  if (takesFocus) find(`tab-${open}`).focus();
}

export function startTabs() {
  for (const name of names) {
    find(`tab-${name}`).addEventListener("click", () => openTab(name));
    find(`tab-${name}`).addEventListener("keydown", (event) => {
      const list = usable();
      const at = list.indexOf(name);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: list.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      openTab(list[(to + list.length) % list.length], true);
    });
  }
  wide.addEventListener("change", () => openTab(open));
  openTab("ask");
}
