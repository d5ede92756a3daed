// Reads server-sent events with fetch: unlike EventSource it tells errors, and never asks a question twice by itself.

import { say } from "./words.js";

const MAX_TRIES = 5;
const LONGEST_S = 10;

export class Failure extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export async function getJson(path, parameters, signal) {
  const response = await request(path, parameters, "application/json", signal);
  return response.json();
}

// The same where a place may have to be waited for, as an answer's.
export async function getInTurn(path, parameters, signal) {
  for (let tries = 0; ; tries++) {
    try {
      return await getJson(path, parameters, signal);
    } catch (failure) {
      if (failure.status !== 429 || tries === MAX_TRIES || signal?.aborted) throw failure;
      await new Promise((resume) => setTimeout(resume, Math.min(failure.retryAfter || 1, LONGEST_S) * 1000));
    }
  }
}

export async function* readEvents(path, parameters, signal) {
  const response = await request(path, parameters, "text/event-stream", signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event !== null) yield event;
    }
  }
}

async function request(path, parameters, accept, signal) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(query ? `${path}?${query}` : path, { signal, cache: "no-store", headers: { accept } })
    .catch((failure) => { throw signal?.aborted ? failure : new Failure(say("unreachable"), 0, 0); });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const retryAfter = Number(response.headers.get("retry-after")) || 0;
  throw new Failure(body.error?.message ?? `HTTP ${response.status}`, response.status, retryAfter);
}

function parseBlock(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return data.length ? { name, data: JSON.parse(data.join("\n")) } : null;
}
