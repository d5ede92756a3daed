// Starts the page: words, tabs, asking, searching, the live column; and rests while nobody looks.

import { showExamples, startAsking, stopWatching } from "./ask.js";
import { listen, showNewest, startLive, stopListening } from "./live.js";
import { refreshAges } from "./post.js";
import { startHouse } from "./house.js";
import { startRouting } from "./route.js";
import { startSearch } from "./search.js";
import { getJson } from "./sse.js";
import { startTabs } from "./tabs.js";
import { startThread } from "./thread.js";
import { startTrends } from "./trends.js";
import { language, say, translatePage } from "./words.js";

const REST_AFTER_MS = 30000; // a browser opens few connections to one place; hidden tabs give theirs back
const AGES_MS = 5000;
const NUM_EXAMPLES = 4;

translatePage();
startTrends();
startTabs();
startLive();
startSearch();
startThread();
startHouse();
startAsking();
startRouting();
const general = [say("example_now"), say("example_hour")].map((text) => ({ text, lang: language }));
showExamples(general);
showNewest().then(suggest).catch(() => {}).finally(listen);
setInterval(refreshAges, AGES_MS);
document.addEventListener("clock", refreshAges);

let resting = 0;
let isResting = false;

function rest() {
  isResting = true;
  stopWatching();
  stopListening();
}

function wake() {
  clearTimeout(resting);
  if (isResting) listen();
  isResting = false;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) resting = setTimeout(rest, REST_AFTER_MS);
  else wake();
});
// A browser may keep a page that was left, with its open streams, to go back to.
window.addEventListener("pagehide", rest);
window.addEventListener("pageshow", wake);

// Examples that fit this house: its own, or else the hashtags that its newest posts use most.
async function suggest(posts) {
  const { examples } = await getJson("/api/status");
  if (examples.length) {
    const mine = examples.filter((example) => example.lang === language);
    const others = examples.filter((example) => example.lang !== language);
    return showExamples([...mine.slice(0, NUM_EXAMPLES - 1), ...others].slice(0, NUM_EXAMPLES));
  }
  const uses = new Map();
  for (const tag of posts.flatMap((post) => post.hashtags ?? [])) uses.set(tag, (uses.get(tag) ?? 0) + 1);
  const tags = [...uses].sort((a, b) => b[1] - a[1]).slice(0, 2).map(([tag]) => tag);
  showExamples([...general, ...tags.map((tag) => ({ text: say("example_tag", { tag }), lang: language }))]);
}
