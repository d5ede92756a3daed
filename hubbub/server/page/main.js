// Starts the page: words, tabs, asking, searching, the live column; and rests while nobody looks.

import { showExamples, startAsking, stopWatching } from "./ask.js";
import { listen, showNewest, startLive, stopListening } from "./live.js";
import { refreshAges } from "./post.js";
import { startSearch } from "./search.js";
import { startTabs } from "./tabs.js";
import { say, translatePage } from "./words.js";

const REST_AFTER_MS = 30000; // a browser opens few connections to one place; hidden tabs give theirs back
const AGES_MS = 5000;

translatePage();
startTabs();
startLive();
startSearch();
showExamples([say("example_now"), say("example_hour")]);
showNewest().then(suggest, () => {}).finally(listen);
startAsking();
setInterval(refreshAges, AGES_MS);

let resting = 0;
let isResting = false;
document.addEventListener("visibilitychange", () => {
  clearTimeout(resting);
  if (document.hidden) {
    resting = setTimeout(() => { isResting = true; stopWatching(); stopListening(); }, REST_AFTER_MS);
  } else if (isResting) {
    isResting = false;
    listen();
  }
});

// Examples that fit this house: the hashtags that its newest posts use most.
function suggest(posts) {
  const uses = new Map();
  for (const tag of posts.flatMap((post) => post.hashtags ?? [])) uses.set(tag, (uses.get(tag) ?? 0) + 1);
  const tags = [...uses].sort((a, b) => b[1] - a[1]).slice(0, 2).map(([tag]) => tag);
  showExamples([say("example_now"), say("example_hour"), ...tags.map((tag) => say("example_tag", { tag }))]);
}
