// The page's own words in English and German, and numbers in the reader's manner.

const english = {
  skip: "Skip to the question", views: "Views", tab_ask: "Ask", tab_search: "Search", tab_trends: "Trends", tab_live: "Live",
  health: "State of the house", connecting: "Connecting", lost: "Connection lost; deletions are not heard. Trying again.",
  failed: "This house has a problem: {why}",
  question: "Your question", question_hint: "What is happening?", ask_button: "Ask", stop_button: "Stop", examples: "Examples",
  example_now: "What is happening right now?", example_tag: "What do people say about #{tag}?", example_hour: "What happened in the last hour?",

  welcome_head: "Every sentence quotes a living post.",
  welcome_text: "Ask what is happening. You get what people wrote, word for word, with how many say it independently and how old it is. When a post is deleted, its quote leaves this page at that moment.",
  looking: "Looking for posts", found_strip: "Posts found", post_found: "1 post found", posts_found: "{n} posts found", reading: "Checking quotes",
  answer_of: "As of {time}",
  voice_one: "one voice", voices: "{n} independent voices",
  disagree: "Posts disagree", first_last: "first {first}, last {last}", since: "{time}",
  cite: "Quote {n}, by {who}: show its post",
  done_report: "{sentences} from {posts}, in {ms} ms", sentence_one: "1 sentence", sentences: "{n} sentences", post_one: "1 post", posts: "{n} posts",
  dropped: "{n} more did not pass the check and are not shown", watching: "Watching over its quotes",
  by_quotes: "quotes only, no model", by_model: "phrased by {model}, every sentence checked",
  answer_done: "The answer is complete: {sentences}.", ask_again: "Ask again", partly: "Parts of this answer were withdrawn.",
  withdrawn_deleted: "Withdrawn: its post was deleted.", withdrawn_changed: "Withdrawn: its post was changed.", withdrawn_hidden: "Withdrawn: its post is no longer visible.",
  gone_deleted: "This post was deleted.", gone_hidden: "This post is no longer visible.",
  ask_failed: "That did not work: {why}", cut: "The connection was cut before the answer was complete.", busy: "Many are asking just now. Trying again in {n} s.",
  panel_head: "The post", panel_quote: "Quote {n} in its post", close: "Close", received: "Received {time}", claimed: "Its author says {time}",
  open_source: "Open at its source", no_link: "Its platform has no page for it.", reply: "a reply", bot: "automated account", edited_now: "Edited just now", quotes_post: "quotes another post", media: "Picture: {text}",
  query: "Search posts", query_hint: "bridge from:anna since:2h", search_button: "Search", sort: "Order", sort_best: "Best first", sort_new: "Newest first", found: "Posts found",
  hits: "{posts} in {ms} ms", no_hits: "No post fits.", hits_at_most: "the first {posts}, in {ms} ms",
  trends_text: "Rising above their own past in the last 24 hours, by independent voices. Reposts and copies do not count.", no_trends: "Nothing is rising.", trends_absent: "Nothing yet: trends are still being gathered.", rising_since: "first",
  live_head: "Arriving now", pause: "Pause", resume: "Go on", more_one: "1 new post", more: "{n} new posts", left_out: "{n} more arrived than anyone could read.", nothing_yet: "No posts yet.",
  last_deletion: "Last deletion {age}.", lag: "{ms} ms behind", rate: "{n}/s", replay_clock: "replay, {time}",
  invented: "Invented posts. This is a sample day of a town that does not exist, replayed as if live.", replayed: "A recording is being replayed; its clock says {time}.",
};

const german = {
  skip: "Zur Frage springen", views: "Ansichten", tab_ask: "Fragen", tab_search: "Suchen", tab_trends: "Trends", tab_live: "Live",
  health: "Zustand des Hauses", connecting: "Verbinde", lost: "Verbindung verloren; L\u00f6schungen kommen nicht an. Neuer Versuch.",
  failed: "Dieses Haus hat eine St\u00f6rung: {why}",
  question: "Deine Frage", question_hint: "Was ist los?", ask_button: "Fragen", stop_button: "Halt", examples: "Beispiele",
  example_now: "Was ist gerade los?", example_tag: "Was sagen die Leute \u00fcber #{tag}?", example_hour: "Was geschah in der letzten Stunde?",
  welcome_head: "Jeder Satz zitiert einen lebenden Beitrag.",
  welcome_text: "Frag, was los ist. Du bekommst, was Leute geschrieben haben, Wort f\u00fcr Wort, dazu wie viele es unabh\u00e4ngig sagen und wie alt es ist. Wird ein Beitrag gel\u00f6scht, verschwindet sein Zitat im selben Augenblick von dieser Seite.",
  looking: "Suche Beitr\u00e4ge", found_strip: "Gefundene Beitr\u00e4ge", post_found: "1 Beitrag gefunden", posts_found: "{n} Beitr\u00e4ge gefunden", reading: "Pr\u00fcfe Zitate",
  answer_of: "Stand {time}",
  voice_one: "eine Stimme", voices: "{n} unabh\u00e4ngige Stimmen",
  disagree: "Beitr\u00e4ge widersprechen sich", first_last: "zuerst {first}, zuletzt {last}", since: "{time}",
  cite: "Zitat {n} von {who}: Beitrag zeigen",
  done_report: "{sentences}, {posts} gefunden, in {ms} ms", sentence_one: "1 Satz", sentences: "{n} S\u00e4tze", post_one: "1 Beitrag", posts: "{n} Beitr\u00e4ge",
  dropped: "{n} weitere bestanden die Pr\u00fcfung nicht und fehlen hier", watching: "Die Zitate werden weiter beobachtet",
  by_quotes: "nur Zitate, kein Modell", by_model: "formuliert von {model}, jeder Satz gepr\u00fcft",
  answer_done: "Die Antwort ist vollst\u00e4ndig: {sentences}.", ask_again: "Neu fragen", partly: "Teile dieser Antwort wurden zur\u00fcckgezogen.",
  withdrawn_deleted: "Zur\u00fcckgezogen: Der Beitrag wurde gel\u00f6scht.", withdrawn_changed: "Zur\u00fcckgezogen: Der Beitrag wurde ge\u00e4ndert.", withdrawn_hidden: "Zur\u00fcckgezogen: Der Beitrag ist nicht mehr sichtbar.",
  gone_deleted: "Dieser Beitrag wurde gel\u00f6scht.", gone_hidden: "Dieser Beitrag ist nicht mehr sichtbar.",
  ask_failed: "Das ging nicht: {why}", cut: "Die Verbindung riss ab, bevor die Antwort fertig war.", busy: "Gerade fragen viele. Neuer Versuch in {n} s.",
  panel_head: "Der Beitrag", panel_quote: "Zitat {n} in seinem Beitrag", close: "Schlie\u00dfen", received: "Empfangen {time}", claimed: "Laut Verfasser {time}",
  open_source: "An der Quelle \u00f6ffnen", no_link: "Seine Plattform hat keine Seite daf\u00fcr.", reply: "eine Antwort", bot: "automatisches Konto", edited_now: "Gerade ge\u00e4ndert", quotes_post: "zitiert einen anderen Beitrag", media: "Bild: {text}",
  query: "Beitr\u00e4ge suchen", query_hint: "Br\u00fccke from:anna since:2h", search_button: "Suchen", sort: "Reihenfolge", sort_best: "Beste zuerst", sort_new: "Neueste zuerst", found: "Gefundene Beitr\u00e4ge",
  hits: "{posts} in {ms} ms", no_hits: "Kein Beitrag passt.", hits_at_most: "die ersten {posts}, in {ms} ms",
  trends_text: "Was in den letzten 24 Stunden \u00fcber seine eigene Vergangenheit steigt, nach unabh\u00e4ngigen Stimmen. Weitergereichtes und Kopien z\u00e4hlen nicht.", no_trends: "Nichts steigt.", trends_absent: "Noch nichts: Die Trends werden noch gesammelt.", rising_since: "zuerst",
  live_head: "Kommt gerade an", pause: "Anhalten", resume: "Weiter", more_one: "1 neuer Beitrag", more: "{n} neue Beitr\u00e4ge", left_out: "{n} weitere kamen an, mehr als jemand lesen kann.", nothing_yet: "Noch keine Beitr\u00e4ge.",
  last_deletion: "Letzte L\u00f6schung {age}.", lag: "{ms} ms zur\u00fcck", rate: "{n}/s", replay_clock: "Wiedergabe, {time}",
  invented: "Erfundene Beitr\u00e4ge. Ein Beispieltag einer Stadt, die es nicht gibt, wiedergegeben wie live.", replayed: "Eine Aufzeichnung l\u00e4uft; ihre Uhr zeigt {time}.",
};

export const language = (navigator.language || "en").toLowerCase().startsWith("de") ? "de" : "en";
const words = language === "de" ? { ...english, ...german } : english;

export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
export const number = (value) => numbers.format(value);
export const count = (n, one, many) => (n === 1 ? say(one) : say(many, { n: number(n) }));

// Puts the reader's words into what index.html says in English.
export function translatePage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of document.querySelectorAll("[data-word-label]")) element.setAttribute("aria-label", say(element.dataset.wordLabel));
  for (const element of document.querySelectorAll("[data-word-placeholder]")) element.placeholder = say(element.dataset.wordPlaceholder);
}
