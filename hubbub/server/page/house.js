// The operator's view: how the house, its sources, its deletions and its tenants are doing; hidden from others.

import { find, make } from "./dom.js";
import { ago } from "./post.js";
import { register } from "./route.js";
import { getJson } from "./sse.js";
import { openTab } from "./tabs.js";
import { lasting, moment } from "./time.js";
import { number, say } from "./words.js";

const AGAIN_MS = 3000;
const NUM_RECEIPTS = 20;
const NOBODY = "-"; // the tenant of those without a key
const absent = new Set(); // what this house does not have is not asked for again
let current = null;

// The tab is there for whom the house tells these things; where others can listen that takes a key.
export async function startHouse() {
  register("house", () => openTab("house"));
  document.addEventListener("opentab", (event) => { if (event.detail === "house") load(); });
  setInterval(() => { if (document.body.dataset.view === "house" && !document.hidden) load(); }, AGAIN_MS);
  try {
    await getJson("/api/sources", {});
  } catch (failure) {
    hide(failure);
  }
}

function hide(failure) {
  if (![401, 403].includes(failure.status)) return;
  find("tab-house").hidden = true;
  if (document.body.dataset.view === "house") openTab("ask");
}

async function load() {
  current?.abort();
  const { signal } = (current = new AbortController());
  const parts = [["/api/status", "house-figures", showHouse], ["/api/sources", "house-sources", showSources],
    ["/api/deletions", "house-deletions", showDeletions, { limit: NUM_RECEIPTS }], ["/api/tenants", "house-tenants", showTenants]];
  await Promise.all(parts.filter(([path]) => !absent.has(path)).map(async ([path, id, show, parameters]) => {
    try {
      replace(id, show(await getJson(path, parameters ?? {}, signal)));
    } catch (failure) {
      if (signal.aborted) return;
      hide(failure);
      if (failure.status === 404) absent.add(path);
      if (path === "/api/tenants" && failure.status === 404) find("tenants-part").hidden = true;
      else replace(id, [path === "/api/deletions" && failure.status === 404 ? note(say("no_receipts")) : make("p", { class: "trouble" }, say("ask_failed", { why: failure.message }))]);
    }
  }));
}

// Only what differs is put in, so that nothing flickers and a selection stays.
function replace(id, children) {
  const place = find(id);
  const fresh = make("div", {}, ...children);
  if (place.textContent !== fresh.textContent) place.replaceChildren(...fresh.childNodes);
}

const note = (text) => make("p", { class: "note" }, text);

function showHouse({ house, server }) {
  const behind = Math.max(0, house.last_seq - house.index_position);
  const figures = [[number(house.num_posts), "fig_posts"], [number(house.last_seq), "fig_events"], [number(behind), "fig_behind"], [number(house.posts_per_s), "fig_rate"],
    [house.lag_ms === null ? "\u2013" : lasting(house.lag_ms), "fig_lag"], [number(server.num_asks), "fig_asks"], [number(server.num_streams), "fig_streams"], [number(server.num_slow_dropped), "fig_slow"]];
  const list = make("dl", { class: "figures" }, ...figures.map(([value, key]) => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value))));
  const trouble = house.error ?? server.failure;
  return trouble ? [make("p", { class: "trouble" }, say("failed", { why: trouble })), list] : [list];
}

function showSources({ sources }) {
  if (!sources.length) return [note(say("no_sources"))];
  const ms = (value) => (value === null || value === undefined ? "\u2013" : lasting(value));
  const rows = sources.map((source) => [make("bdi", { class: "name" }, source.name), state(source), ms(source.vitals.platform_lag_ms), ms(source.vitals.own_lag_ms),
    source.per_s === null ? "\u2013" : number(source.per_s), number(source.num_events), number(source.num_dropped), number(source.num_malformed), number(source.num_duplicates), number(source.vitals.num_gaps)]);
  const troubles = sources.flatMap(({ name, vitals, errors }) => [vitals.refused, vitals.last_break, vitals.last_gap, errors.at(-1)].filter((each) => each).map((each) => make("p", { class: "note" }, make("bdi", {}, `${name}: ${each}`))));
  return [table("sources_head", ["col_source", "col_state", "col_lag", "col_own_lag", "col_rate", "col_events", "col_dropped", "col_malformed", "col_twice", "col_gaps"], rows), ...new Set(troubles)];
}

function state({ state: said }) {
  const kind = ["live", "reading"].includes(said) ? "on" : ["refused", "lost", "silent"].includes(said) ? "bad" : ["ended"].includes(said) ? "" : "off";
  return make("span", { class: "state-word" }, make("span", { class: `dot ${kind}`, "aria-hidden": "true" }), say(`state_${said.replace(" ", "_")}`));
}

function showDeletions({ summary, receipts }) {
  if (!receipts.length) return [note(say("no_deletions"))];
  const { gone_p50_ms: p50, gone_p99_ms: p99 } = summary;
  const values = { n: number(summary.num_gone), all: number(summary.num_receipts), p50: p50 === null ? "" : lasting(p50), p99: p99 === null ? "" : lasting(p99), unerased: number(summary.num_unerased), erase: lasting(summary.erase_s * 1000) };
  const overdue = summary.is_overdue ? make("strong", { class: "bad" }, " ", say("overdue_say", { n: number(summary.num_overdue) })) : null;
  const rows = receipts.map((receipt) => [ago(receipt.received_us), say(`kind_${receipt.kind}`),
    gone(receipt), erased(receipt), receipt.num_retracted ? number(receipt.num_retracted) : "\u2013", make("bdi", { class: "name" }, receipt.post ?? receipt.author ?? "")]);
  return [make("p", { class: "note" }, say(p50 === null ? "gone_say" : "deletions_say", values), overdue),
    table("deletions_head", ["col_came", "col_what", "col_gone", "col_erased", "col_retracted", "col_id"], rows)];
}

function gone({ is_gone: isGone, gone_us: at, archived_us: archived, received_us: received }) {
  if (!isGone) return make("span", { class: "bad" }, say("not_yet"));
  const since = archived !== null && archived - received > 60e6 ? archived : received; // what was caught up with counts from then
  return at === null ? "\u2713" : lasting((at - since) / 1000);
}

function erased({ is_erased: isErased, is_overdue: isOverdue, archived_us: archived, archive_erased_us: one, index_erased_us: other, erase_by_us: by }) {
  if (isOverdue) return make("strong", { class: "bad" }, say("overdue"));
  if (!isErased) return say("due", { time: moment(by) });
  const at = Math.max(one ?? 0, other ?? 0);
  return at && archived ? say("erased_after", { time: lasting((at - archived) / 1000) }) : "\u2713";
}

function showTenants({ tenants, stopped }) {
  if (!tenants.length) return [note(say("no_tenants"))];
  const of = (n, most, key) => (most === null || most === undefined ? number(n ?? 0) : say(key, { n: number(n ?? 0), most: number(most) }));
  const rows = tenants.map(({ tenant, priority, is_stopped: isStopped, limits, usage, keys, rules_version: rules }) => [
    tenant === NOBODY ? say("no_key") : make("bdi", { class: "name" }, tenant),
    make("span", { class: "state-word" }, make("span", { class: `dot ${isStopped ? "bad" : "on"}`, "aria-hidden": "true" }), say(isStopped ? "stopped" : "running")),
    number(priority), of(usage.num_requests, limits.requests_per_minute, "a_minute"), number(usage.num_refused ?? 0), number(usage.num_answers ?? 0),
    of((usage.num_tokens_in ?? 0) + (usage.num_tokens_out ?? 0), limits.tokens_per_day, "a_day"), of(usage.num_streams, limits.streams, "at_most"),
    number(Array.isArray(keys) ? keys.length : keys ?? 0), rules ? say("version", { n: number(rules) }) : "\u2013"]);
  const off = stopped ? [make("p", { class: "trouble" }, say(`stopped_${stopped}`))] : [];
  return [...off, table("tenants_head", ["col_tenant", "col_state", "col_priority", "col_requests", "col_refused", "col_answers", "col_tokens", "col_open", "col_keys", "col_rules"], rows)];
}

const WORDY = new Set(["col_source", "col_state", "col_came", "col_what", "col_id", "col_tenant"]);

// A table that scrolls inside its own box; what is no word stands as figures do.
function table(key, heads, rows) {
  const cell = (tag, content, at) => make(tag, { class: WORDY.has(heads[at]) ? null : "figure", scope: tag === "th" ? "col" : null }, content);
  return make("div", { class: "table", role: "region", tabindex: "0", "aria-label": say(key) }, make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head, at) => cell("th", say(head), at)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((content, at) => cell("td", content, at)))))));
}
