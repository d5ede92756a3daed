// A post in a list: opened by a click, struck out when it dies, its words renewed when they change.

import { make } from "./dom.js";
import { track } from "./living.js";
import { openPanel } from "./panel.js";
import { byline, textOf, whyGone, withdraw } from "./post.js";

// `spans` are highlights, [start, end) in code points; `open` says what a click does, `onGone` what follows its end.
export function postRow(post, { spans = [], cls = "item", open = openPanel, onGone = null, above = null } = {}) {
  let text = textOf(post, spans);
  const button = make("button", { class: "open", "aria-expanded": open === openPanel ? "false" : null, onclick: () => open(button, post.id) },
    byline(post, post.received_us), above, text);
  const element = make("li", { class: cls, "data-post": post.id }, button);
  track(element, post.id, post.author, (now, reason) => {
    if (now === null) {
      withdraw(element, whyGone(reason));
      onGone?.(element);
      return;
    }
    const fresh = textOf(now, now.text === post.text ? spans : []);
    text.replaceWith(fresh);
    text = fresh;
  });
  return element;
}
