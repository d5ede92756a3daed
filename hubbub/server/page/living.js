// Which posts this page shows, and where; takes them off the page when they die.

import { getJson } from "./sse.js";

const MAX_IDS = 100;
const shown = new Map(); // post id -> entries {element, author, onChange}
const gone = new Set(); // ids whose deletion was heard, so that an answer that arrives later cannot show them
const touched = new Map(); // author or post id -> when it changed; what was fetched just before is looked at again
const RECENT_MS = 5000;

// Calls onChange(post | null, reason) when the post changes or may be shown no longer, for as long as `element` is on the page.
export function track(element, id, author, onChange) {
  const entries = shown.get(id) ?? [];
  entries.push({ element, author, onChange });
  shown.set(id, entries);
  const isRecent = [id, author].some((key) => performance.now() - (touched.get(key) ?? -Infinity) < RECENT_MS);
  if (isRecent) setTimeout(() => recheck([id]).catch(() => {}), 0);
}

export const isGone = (id) => gone.has(id);

export function deletePost(id) {
  gone.add(id);
  tell(id, null, "deleted");
  warn();
}

// Asks the house which of these posts may still be shown, and what they say now.
export async function recheck(ids = [...shown.keys()]) {
  prune();
  warn();
  const wanted = ids.filter((id) => shown.has(id));
  for (let at = 0; at < wanted.length; at += MAX_IDS) {
    const part = wanted.slice(at, at + MAX_IDS);
    const { posts, deleted } = await getJson("/api/posts", part.map((id) => ["id", id]));
    for (const id of deleted) gone.add(id);
    const living = new Map(posts.map((post) => [post.id, post]));
    for (const id of part) tell(id, living.get(id) ?? null, gone.has(id) ? "deleted" : "hidden");
  }
}

export function recheckPost(id) {
  touched.set(id, performance.now());
  return recheck([id]);
}

export function recheckAuthor(author) {
  touched.set(author, performance.now());
  const ids = [...shown].filter(([, entries]) => entries.some((entry) => entry.author === author)).map(([id]) => id);
  return recheck(ids);
}

// Posts may have died that this page does not show, but counts.
const warn = () => document.dispatchEvent(new CustomEvent("loss"));

function tell(id, post, reason) {
  const entries = (shown.get(id) ?? []).filter((entry) => entry.element.isConnected);
  if (post === null) shown.delete(id);
  for (const entry of entries) entry.onChange(post, reason);
}

function prune() {
  for (const [id, entries] of shown) {
    const connected = entries.filter((entry) => entry.element.isConnected);
    if (connected.length) shown.set(id, connected);
    else shown.delete(id);
  }
  for (const [key, at] of touched) if (performance.now() - at > RECENT_MS) touched.delete(key);
}

setInterval(prune, 30000);
