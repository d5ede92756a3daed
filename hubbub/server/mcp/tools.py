"""The tools: search, fetch, ask, thread; all only read and give living posts as quoted data; no protocol.

Who calls is a model, so posts whose authors refuse prompts are not given. Text of strangers is made inert:
hidden letters are the usual way to talk past a reader.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from hubbub.assistant.answer import Answer, Citation, Done, Shown
from hubbub.assistant.display import inert, safe_url
from hubbub.errors import InvalidInput
from hubbub.posts import Post
from hubbub.server.addresses import candidate_ids
from hubbub.server.answering import Answering
from hubbub.server.desk import Desk
from hubbub.server.lookup import DEFAULT_HITS, MAX_ID_CHARS, find_hits, find_post
from hubbub.server.mcp.shapes import (
    NOTICE,
    Answered,
    AskArguments,
    Document,
    FetchArguments,
    Quote,
    Result,
    Results,
    Said,
    SearchArguments,
    Seen,
    ThreadArguments,
    ThreadShown,
)
from hubbub.server.scope import Scope
from hubbub.server.surface import Searchable
from hubbub.server.thread import read_thread
from hubbub.server.watch import Watch
from hubbub.server.wire import Refusal
from hubbub.units import US_PER_DAY, format_time, parse_time_us

_MAX_TITLE = 100
_CLAIMS = ("answered", "unconfirmed")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool: what a host is told of it, and what runs."""

    name: str
    title: str
    description: str
    arguments: type[msgspec.Struct]
    result: type[msgspec.Struct]
    run: Callable[[Desk, Any], Awaitable[msgspec.Struct]]


async def search(desk: Desk, given: SearchArguments) -> Results:
    """Search; a post without a page of its own has an empty `url`, so that no host can cite it.

    Raises:
        Refusal: the query is too long or cannot be read.
    """
    text = _check(given.query, "query", desk.limits.max_question_chars)
    hits = await find_hits(desk, text, DEFAULT_HITS, None, desk.house.now_us(), True)
    return Results(
        results=[Result(id=hit.post.id, title=_title(hit.post), url=_url(hit.post)) for hit in hits]
    )


async def fetch(desk: Desk, given: FetchArguments) -> Document:
    """Give one living post.

    Raises:
        Refusal: it is deleted, hidden or unknown.
    """
    post = await find_post(desk, candidate_ids(_check(given.id, "id", MAX_ID_CHARS)), True)
    metadata = {
        "author": _author(post),
        "received": format_time(post.received_us),
        "langs": " ".join(post.langs),
        "media": inert(" / ".join(post.media)),
        "notice": NOTICE,
    }
    return Document(
        id=post.id,
        title=_title(post),
        text=inert(post.text),
        url=_url(post),
        metadata={name: value for name, value in metadata.items() if value},
    )


async def ask(desk: Desk, given: AskArguments) -> Answered:
    """Answer with sentences whose posts all live when they are handed over; nobody can take them back later.

    Raises:
        Refusal: too many answers are being written, or the question or a date cannot be read.
    """
    question = _check(given.question, "question", desk.limits.max_question_chars)
    scope = Scope(from_us=_from_us(given.from_date), to_us=_to_us(given.to_date))
    # Of a window in the past, today is its end.
    clock_us = scope.to_us if scope.to_us and scope.to_us < desk.house.now_us() else None
    answering = Answering(desk, question, clock_us, scope)
    shown: list[Shown] = []
    done: list[Answer] = []

    async def tell(name: str, event: object) -> None:
        if isinstance(event, Shown):
            shown.append(event)
        elif isinstance(event, Done):
            done.append(event.answer)
        elif name == "error":
            failed.update(msgspec.to_builtins(event)["error"])

    failed: dict[str, str] = {}
    with answering.admitted():
        await answering.run(tell)
    if failed or not done:
        raise Refusal(500, failed.get("message", "the answer was not finished"), code="failed")
    return await desk.look_up(_hand_over, desk.house.index, done[0], shown)


def _hand_over(index: Searchable, answer: Answer, shown: Sequence[Shown]) -> Answered:
    """Look at every quote once more: the feed may not have told of a deletion yet."""
    watch = Watch(index)
    standing = {sentence.id for sentence in answer.sentences}
    said = [
        event.sentence
        for event in shown
        if event.sentence.id in standing
        and watch.pass_sentence(msgspec.structs.replace(event, is_composed=True))  # for a model's prompt
    ]
    has_claim = any(sentence.kind != "note" for sentence in said)
    return Answered(
        outcome="nothing_found" if answer.outcome in _CLAIMS and not has_claim else answer.outcome,
        lang=answer.lang,
        asked=format_time(answer.asked_us),
        sentences=[
            Said(
                text=inert(sentence.text),
                kind=sentence.kind,
                num_voices=sentence.num_voices,
                is_conflicting=sentence.is_conflicting,
                citations=[_quote(citation) for citation in sentence.citations],
            )
            for sentence in said
        ],
    )


async def thread(desk: Desk, given: ThreadArguments) -> ThreadShown:
    """Give a post and those above it.

    Raises:
        Refusal: it is deleted, hidden or unknown.
    """
    ids = candidate_ids(_check(given.url_or_id, "url_or_id", MAX_ID_CHARS))
    found = await desk.look_up(read_thread, desk.house.index, await find_post(desk, ids, True))
    if found is None:
        raise Refusal(410, f"post {ids[0][:200]!r} was deleted", code="post_deleted")
    return ThreadShown(
        post=_seen(found.post),
        above=[_seen(post) for post in found.above],
        quoted=_seen(found.quoted) if found.quoted else None,
        num_missing=found.num_missing,
    )


TOOLS = (
    Tool(
        name="search",
        title="Search posts",
        description="Find public posts by words and operators, best first; each result names one post. "
        "Deleted and hidden posts are not found.",
        arguments=SearchArguments,
        result=Results,
        run=search,
    ),
    Tool(
        name="fetch",
        title="Read a post",
        description=f"Read one post whole, as it stands now. {NOTICE}",
        arguments=FetchArguments,
        result=Document,
        run=fetch,
    ),
    Tool(
        name="ask",
        title="Ask what is happening",
        description="Answer a question from posts: a few sentences, each with the quotes that back it, "
        "how many independent voices say so, and whether others deny it. "
        "It reports what people say and does not judge whether it is true. " + NOTICE,
        arguments=AskArguments,
        result=Answered,
        run=ask,
    ),
    Tool(
        name="thread",
        title="Read what a post answers",
        description="Read a post, the posts it replies to up to the root, and the post it quotes. "
        f"Replies below it are not listed: the index does not look them up. {NOTICE}",
        arguments=ThreadArguments,
        result=ThreadShown,
        run=thread,
    ),
)


def _check(text: str, name: str, max_chars: int) -> str:
    text = text.strip()
    if not text:
        raise Refusal(400, f"{name} is empty", code="empty", param=name)
    if len(text) > max_chars:
        raise Refusal(
            400,
            f"{name} has {len(text):,} characters; at most {max_chars:,} are taken",
            code="too_long",
            param=name,
        )
    return text


def _from_us(text: str) -> int | None:
    try:
        return parse_time_us(text) if text else None
    except InvalidInput as error:
        raise Refusal(400, str(error), code="invalid_time") from None


def _to_us(text: str) -> int | None:
    time_us = _from_us(text)
    return time_us + US_PER_DAY if time_us is not None and _DATE.fullmatch(text.strip()) else time_us


def _title(post: Post) -> str:
    text = inert(post.text)
    text = text if len(text) <= _MAX_TITLE else text[:_MAX_TITLE].rstrip() + "..."
    return f"{_author(post)}, {format_time(post.received_us)}: {text}"


def _author(post: Post | Citation) -> str:
    return f"@{inert(post.handle)}" if post.handle else inert(post.name or post.author)


def _url(post: Post | Citation) -> str:
    return safe_url(post.url) or ""


def _quote(citation: Citation) -> Quote:
    return Quote(
        id=citation.post,
        author=_author(citation),
        time=format_time(citation.time_us),
        quote=inert(citation.quote),
        url=_url(citation),
    )


def _seen(post: Post) -> Seen:
    return Seen(
        id=post.id,
        author=_author(post),
        time=format_time(post.received_us),
        text=inert(post.text),
        url=_url(post),
    )
