// The tabs: arrow keys move between them, one view is open at a time; on wide screens the live column stays.

import { find } from "./dom.js";
import { register, revisit } from "./route.js";

const names = ["ask", "search", "trends", "live", "house"];
const views = [...names, "thread"]; // a thread has an address, but no tab
const wide = window.matchMedia("(min-width: 900px)");
let open = "ask";

const usable = () => names.filter((name) => !find(`tab-${name}`).hidden && !(name === "live" && wide.matches));

export function openTab(name) {
  open = name === "thread" || usable().includes(name) ? name : "ask";
  for (const each of views) {
    const tab = find(`tab-${each}`);
    tab?.setAttribute("aria-selected", String(each === open));
    if (tab) tab.tabIndex = each === open || (open === "thread" && each === "ask") ? 0 : -1;
    find(each).hidden = each !== open && !(each === "live" && wide.matches);
  }
  document.body.dataset.view = open;
  document.dispatchEvent(new CustomEvent("opentab", { detail: open }));
}

export function startTabs() {
  register("live", () => openTab("live"));
  for (const name of names) {
    find(`tab-${name}`).addEventListener("click", () => revisit(name));
    find(`tab-${name}`).addEventListener("keydown", (event) => {
      const list = usable();
      const at = list.indexOf(name);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: list.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      revisit(list[(to + list.length) % list.length], true);
      find(`tab-${open}`).focus();
    });
  }
  wide.addEventListener("change", () => openTab(open));
}
