"""The API under load: concurrent streams of several tenants while posts keep arriving at a real server.

    python -m benchmarks.api_load --posts ../shared/data/posts/*.ndjson.gz --seconds 60

`hubbub serve --follow -` on a directory of `--size` posts is fed `--rate` posts a second. Four clients share
`--streams` sessions: the platform's own page (`/api/ask`, priority 1, its streams stay open for `HOLD_S`
after the answer), and three tenants with keys (`/v1/chat/completions`, streaming): `own` of priority 1,
`sister-a` and `sister-b` of priority 2. Two more search as `own` (`/v1/search`): ten times a second without
facets, as a program does, and once a second with facets, as for a page.

Two phases. **Open**: every session asks, reads, rests, so that `--questions` come a second in all. **Full**:
the sisters never rest, `sister-b` with six times the sessions of `sister-a`, and `own` asks as before; a
refusal (429, 503) is obeyed: the session comes back after `Retry-After`. Fair is: the sisters get as many
answers each. Priority is: `own` waits least. Time runs from sending the request; evidence is the first posts
found (page) or the first cited sentence (programs). An error is any other status, an error event, or a stream
that ends before its answer. The first `--warm-up` seconds of a phase (a server just started shelves what it
found, and starts its second process) are told as a row of searches of their own, "starting".
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import msgspec

from benchmarks.arriving import Feed, pick_words, prepare, serving_lines
from benchmarks.made_posts import read_posts
from benchmarks.report import percentile, show
from hubbub.posts import Post
from hubbub.server.keys import KeyRing

HOLD_S = 10.0
"""So long a reader of the page keeps a finished answer open."""
SEARCHES_PER_S = (10.0, 1.0)
PATIENCE_S = 60.0
PRIORITIES = {"own": 1, "sister-a": 2, "sister-b": 2}
_BUSY = (429, 503)


class Client:
    """Who asks, with how many sessions, and what became of it."""

    def __init__(self, name: str, secret: str | None, sessions: int) -> None:
        self.name, self.sessions = name, sessions
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self.evidence_ms: list[float] = []
        self.num_answers = self.num_refused = 0
        self.errors: Counter[str] = Counter()

    def restart(self) -> None:
        """Forget what was measured, errors excepted."""
        self.evidence_ms, self.num_answers, self.num_refused = [], 0, 0

    def row(self, phase: str, seconds: float) -> dict[str, object]:
        """Sum up."""
        return {
            "phase": phase,
            "who": self.name,
            "sessions": self.sessions,
            "per second": round(self.num_answers / seconds, 2),
            **{
                f"p{p} ms": round(percentile(self.evidence_ms, p)) if self.evidence_ms else "-"
                for p in (50, 95, 99)
            },
            "refused": self.num_refused,
            "errors": self.errors.total(),
        }


class Phase:
    """One phase against one server."""

    def __init__(
        self, url: str, posts: list[Post], clients: list[Client], own: Client, options: argparse.Namespace
    ) -> None:
        self._posts, self._clients, self._options = posts, clients, options
        self._rng = random.Random(11)
        self.searching = [Client("search", None, 1), Client("search, facets", None, 1)]
        for client in self.searching:
            client.headers = own.headers
        self._http = httpx2.AsyncClient(
            base_url=url, timeout=PATIENCE_S, limits=httpx2.Limits(max_connections=None), trust_env=False
        )

    async def run(self, rests_s: dict[str, float]) -> list[dict[str, object]]:
        """Let all sessions ask for as long as asked, with a mean rest between two questions.

        Returns the rows of the searches of its first seconds.
        """
        warm_up_s = self._options.warm_up
        async with self._http, anyio.create_task_group() as group:
            for client in self._clients:
                ask = self._ask_page if client.name == "page" else self._ask_program
                for _ in range(client.sessions):
                    group.start_soon(self._session, client, ask, rests_s[client.name])
            for client, rate in zip(self.searching, SEARCHES_PER_S, strict=True):
                group.start_soon(self._search, client, rate)
            await anyio.sleep(warm_up_s)
            starting = [client.row("starting", warm_up_s) for client in self.searching] if warm_up_s else []
            for client in (*self._clients, *self.searching):
                client.restart()
            await anyio.sleep(self._options.seconds)
            group.cancel_scope.cancel()
        return starting

    async def _session(
        self, client: Client, ask: Callable[[Client], Awaitable[float]], rest_s: float
    ) -> None:
        await anyio.sleep(self._rng.uniform(0, rest_s))
        while True:
            wait_s = await self._safely(client, ask)
            rested_s = self._rng.expovariate(1 / rest_s) if rest_s else 0.0
            await anyio.sleep(wait_s or rested_s)

    async def _safely(self, client: Client, ask: Callable[[Client], Awaitable[float]]) -> float:
        try:
            return await ask(client)
        except httpx2.HTTPError as error:
            client.errors[type(error).__name__] += 1
            return 1.0

    async def _ask_page(self, client: Client) -> float:
        start_s, is_done = time.monotonic(), False
        params = {"q": self._question()}
        async with self._http.stream("GET", "/api/ask", params=params) as response:
            if wait_s := self._refused(client, response):
                return wait_s
            with anyio.move_on_after(PATIENCE_S) as scope:
                async for event in _read_data(response):
                    kind = event["type"]
                    if kind == "found":
                        client.evidence_ms.append((time.monotonic() - start_s) * 1000)
                    elif kind == "done" and not is_done:
                        is_done = True
                        client.num_answers += 1
                        scope.deadline = anyio.current_time() + HOLD_S
                    elif kind == "error":
                        client.errors[event["code"]] += 1
        client.errors["no answer"] += not is_done
        return 0.0

    async def _ask_program(self, client: Client) -> float:
        start_s, is_done, is_cited = time.monotonic(), False, False
        body = {
            "model": "hubbub",
            "stream": True,
            "messages": [{"role": "user", "content": self._question()}],
        }
        async with self._http.stream(
            "POST", "/v1/chat/completions", json=body, headers=client.headers
        ) as response:
            if wait_s := self._refused(client, response):
                return wait_s
            async for event in _read_data(response):
                choice = (event.get("choices") or [{}])[0]
                if choice.get("delta", {}).get("content") and not is_cited:
                    is_cited = True
                    client.evidence_ms.append((time.monotonic() - start_s) * 1000)
                is_done |= choice.get("finish_reason") == "stop"
                if "error" in event:
                    client.errors[event["error"]["code"]] += 1
        client.num_answers += is_done
        client.errors["no answer"] += not is_done
        return 0.0

    async def _search(self, client: Client, rate: float) -> None:
        async with anyio.create_task_group() as group:
            while True:
                group.start_soon(self._safely, client, self._search_once)
                await anyio.sleep(1 / rate)

    async def _search_once(self, client: Client) -> float:
        start_s = time.monotonic()
        facets = str("facets" in client.name).lower()
        params = {"q": pick_words(self._posts, 2, self._rng), "facets": facets}
        response = await self._http.get("/v1/search", params=params, headers=client.headers)
        if not self._refused(client, response):
            client.num_answers += 1
            client.evidence_ms.append((time.monotonic() - start_s) * 1000)
        return 0.0

    def _refused(self, client: Client, response: httpx2.Response) -> float:
        if response.status_code == 200:
            return 0.0
        if response.status_code in _BUSY and "retry-after" in response.headers:
            client.num_refused += 1
            return float(response.headers["retry-after"])
        client.errors[str(response.status_code)] += 1
        return 1.0

    def _question(self) -> str:
        return f"What is happening with {pick_words(self._posts, 2, self._rng)}?"


async def _read_data(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        if line.startswith("data:") and line != "data: [DONE]":
            yield msgspec.json.decode(line[5:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", nargs="+", required=True, metavar="FILE", help="NDJSON of real posts")
    parser.add_argument("--size", type=int, default=100_000, help="posts there before the clock starts")
    parser.add_argument("--rate", type=float, default=500.0, help="posts that arrive a second")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--questions", type=float, default=4.0, help="asked a second while open")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each phase")
    parser.add_argument("--warm-up", type=float, default=15.0, help="seconds before each phase, told apart")
    parser.add_argument("--only", choices=("open", "full"), help="one of the phases")
    parser.add_argument("--data", metavar="DIR", help="keep the prepared directory here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    posts = read_posts(options.posts)
    with contextlib.ExitStack() as stack:
        data = Path(options.data or stack.enter_context(tempfile.TemporaryDirectory()))
        prepare(data, posts, options.size)
        show(measure(data, posts, options), options.json)


def measure(data: Path, posts: list[Post], options: argparse.Namespace) -> list[dict[str, object]]:
    """Run both phases; one row a client and phase."""
    ring, secrets = KeyRing(data), {}
    for name, priority in PRIORITIES.items():
        secrets[name] = ring.add(name, per_minute=1_000_000)[1]
        ring.change(name, priority=priority)
    quarter, few = options.streams // 4, options.streams // 8
    shares = {
        "open": {"page": quarter, "own": quarter, "sister-a": quarter, "sister-b": quarter},
        "full": {"own": few, "sister-a": few, "sister-b": few * 6},
    }
    rest_s = options.streams / options.questions
    rests_s = {
        "open": dict.fromkeys(shares["open"], rest_s),
        "full": {"own": rest_s, "sister-a": 0, "sister-b": 0},
    }
    rows: list[dict[str, object]] = []
    with serving_lines(data) as (server, url), Feed(server, posts, options.rate):
        for phase, sessions in shares.items():
            if options.only not in (None, phase):
                continue
            clients = [Client(name, secrets.get(name), number) for name, number in sessions.items()]
            own = next(client for client in clients if client.name == "own")
            run = Phase(url, posts, clients, own, options)
            rows += anyio.run(run.run, rests_s[phase])
            rows += [client.row(phase, options.seconds) for client in (*clients, *run.searching)]
            for client in (*clients, *run.searching):
                if client.errors.total():
                    print(f"{phase}, {client.name}: {dict(+client.errors)}", file=sys.stderr)
    return rows


if __name__ == "__main__":
    main()
