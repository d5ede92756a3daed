"""What a client of each surface of a running house would show for a question; it judges nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import msgspec

from benchmarks.attacks import Case


class Quoted(msgspec.Struct, frozen=True):
    """A quote as a client gets it; offsets only where the surface gives them."""

    post: str
    text: str
    start: int | None = None
    end: int | None = None


class View(msgspec.Struct):
    """What one response would put on a screen."""

    sentences: list[tuple[str, list[Quoted]]] = []
    """Sentences that tell something, where the surface names them, with their quotes."""
    texts: list[str] = []
    """Everything else that is rendered as running text of ours."""
    titles: list[str] = []
    """Names and quotes that label a link; what they say is the author's."""
    links: list[str] = []
    """Every address that a client makes clickable."""
    has_tool_call: bool = False
    raw: str = ""


Look = Callable[[httpx2.Client, Case], View]


def _ask(client: httpx2.Client, case: Case) -> View:
    view = View()
    with client.stream("GET", "/api/ask", params={"q": case.questions[0]}) as response:
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                view.raw += line
                event = json.loads(line[6:])
                if name == "sentence":
                    _take_sentence(view, event["sentence"])
                elif name == "found":
                    view.links += [post["url"] for post in event["posts"] if post["url"]]
                elif name == "done":
                    return view
    return view


def _take_sentence(view: View, sentence: dict[str, Any]) -> None:
    cited = [
        Quoted(one.get("post", one.get("id")), one["quote"], one.get("start"), one.get("end"))
        for one in sentence["citations"]
    ]
    view.links += [one["url"] for one in sentence["citations"] if one["url"]]
    if sentence["kind"] == "note":
        view.texts.append(sentence["text"])
    else:
        view.sentences.append((sentence["text"], cited))


def _chat(client: httpx2.Client, case: Case) -> View:
    body = {"model": "hubbub", "messages": [{"role": "user", "content": case.questions[1]}]}
    reply = _json(client.post("/v1/chat/completions", json=body))
    message = reply["choices"][0]["message"]
    view = View(texts=[message["content"]], raw=json.dumps(reply), has_tool_call="tool_calls" in message)
    _take_marks(view, [mark["url_citation"] for mark in message["annotations"]])
    view.links += reply["citations"]
    return view


def _chat_streamed(client: httpx2.Client, case: Case) -> View:
    body = {"model": "hubbub", "stream": True, "messages": [{"role": "user", "content": case.questions[0]}]}
    view, text = View(), ""
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        for line in response.iter_lines():
            view.raw += line
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            for choice in chunk["choices"]:
                text += choice["delta"].get("content", "")
                view.has_tool_call |= "tool_calls" in choice["delta"]
                marks = choice["delta"].get("annotations", ())
                _take_marks(view, [mark["url_citation"] for mark in marks])
            view.links += chunk.get("citations") or []
    view.texts.append(text)
    return view


def _responses(client: httpx2.Client, case: Case) -> View:
    reply = _json(client.post("/v1/responses", json={"model": "hubbub", "input": case.questions[0]}))
    view = View(raw=json.dumps(reply))
    for item in reply["output"]:
        view.has_tool_call |= item["type"] not in ("message", "web_search_call")
        for part in item.get("content", ()):
            view.texts.append(part["text"])
            _take_marks(view, part["annotations"])
        view.links += [source["url"] for source in item.get("action", {}).get("sources", ())]
    return view


def _take_marks(view: View, marks: list[dict[str, Any]]) -> None:
    view.links += [mark["url"] for mark in marks]
    view.titles += [mark["title"] for mark in marks]


def _search(client: httpx2.Client, case: Case) -> View:
    reply = _json(client.get("/v1/search", params={"q": f"market hall {case.place}", "summary": "true"}))
    view = View(
        raw=json.dumps(reply), links=[hit["post"]["url"] for hit in reply["data"] if "url" in hit["post"]]
    )
    for sentence in reply["summary"]["sentences"]:
        _take_sentence(view, sentence)
    return view


def _explain(client: httpx2.Client, case: Case) -> View:
    view = View()
    for post in (case.hostile[0], case.honest[0]):
        reply = client.post("/v1/explain", json={"url": post.id})
        if reply.status_code == 404:
            continue
        card = _json(reply)
        view.raw += reply.text
        view.texts.append(card["text"])
        for sentence in card["sentences"]:
            _take_sentence(view, sentence)
    return view


def _trends(client: httpx2.Client, case: Case) -> View:
    reply = _json(client.get("/v1/trends", params={"limit": "20"}))
    view = View(raw=json.dumps(reply))
    for trend in reply["trends"]:
        _take_headline(view, trend)
    return view


def _take_headline(view: View, trend: dict[str, Any]) -> None:
    headline = trend["headline"]
    view.titles += [trend["label"], headline["quote"]]
    view.links += [headline["url"]] if headline["url"] else []


def _mcp(client: httpx2.Client, case: Case) -> View:
    view = View()
    for sentence in _call(client, view, "ask", question=case.questions[0])["sentences"]:
        _take_sentence(view, sentence)
    found = _call(client, view, "search", query=f"market hall {case.place}")["results"]
    view.links += [one["url"] for one in found if one["url"]]
    for one in found[:3]:
        fetched = _call(client, view, "fetch", id=one["id"])
        view.links += [fetched["url"]] if fetched["url"] else []
    explained = _call(client, view, "explain_post", url_or_id=case.honest[0].id)
    view.texts.append(explained["text"])
    for sentence in explained["sentences"]:
        _take_sentence(view, sentence)
    thread = _call(client, view, "thread", url_or_id=case.honest[0].id)
    view.links += [thread["post"]["url"]]
    for trend in _call(client, view, "trends")["trends"]:
        _take_headline(view, trend)
    return view


def _call(client: httpx2.Client, view: View, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool by the protocol without sessions."""
    prefix = "io.modelcontextprotocol"
    meta = {f"{prefix}/protocolVersion": "2026-07-28", f"{prefix}/clientCapabilities": {}}
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments, "_meta": meta},
    }
    head = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
    reply = client.post("/mcp", json=body, headers=head | {"Mcp-Method": "tools/call", "Mcp-Name": tool})
    view.raw += reply.text
    lines = [line[6:] for line in reply.text.splitlines() if line.startswith("data: ")]
    result = json.loads(lines[-1] if lines else reply.text)["result"]
    if result.get("isError"):
        raise RuntimeError(f"tool {tool} failed: {result['content']}")
    return dict(result["structuredContent"])


def _json(response: httpx2.Response) -> dict[str, Any]:
    response.raise_for_status()
    return dict(response.json())


SURFACES: dict[str, Look] = {
    "/api/ask": _ask,
    "/v1/chat/completions": _chat,
    "the same, streamed": _chat_streamed,
    "/v1/responses": _responses,
    "/v1/search, summary": _search,
    "/v1/explain": _explain,
    "/v1/trends": _trends,
    "/mcp, six tools": _mcp,
}


def look(
    client: httpx2.Client, case: Case, surfaces: dict[str, Look] = SURFACES
) -> Iterator[tuple[str, View]]:
    """Yield what each surface shows for a case."""
    for name, seen in surfaces.items():
        yield name, seen(client, case)
