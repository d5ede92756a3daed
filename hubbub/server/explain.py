"""`POST /v1/explain`, `GET /api/explain`: the context card of a post, made once, checked for each."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias
from weakref import WeakValueDictionary

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hubbub.assistant.answer import Answer, Sentence, Shown
from hubbub.assistant.explain import choose, questions, say
from hubbub.posts import Post, PostId
from hubbub.server.addresses import candidate_ids
from hubbub.server.answering import Answering
from hubbub.server.caller import caller
from hubbub.server.desk import Desk, desk_of, is_for_prompt
from hubbub.server.lookup import MAX_ID_CHARS, find_post
from hubbub.server.openai.reading import read_body
from hubbub.server.openai.whole import write_whole
from hubbub.server.scope import Promptable, Scope
from hubbub.server.surface import Searchable
from hubbub.server.thread import Thread, read_thread
from hubbub.server.watch import Watch
from hubbub.web.wire import LEFT, Refusal, json_response

Write: TypeAlias = Callable[[Answering], Awaitable[Answer | None]]
"""Waits for a whole answer; None if its caller has left."""

FRESH_S = 60.0
"""A card is made anew after so long: a correction that came meanwhile must get its say."""
MAX_CARDS = 1_000
_TRIES = 3
"""A card whose posts die while it is written is written again."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What independent voices say about a post."""

    post: Post
    text: str
    """At most 550 characters, in German for German posts, else in English."""
    sentences: tuple[Sentence, ...]
    thread: Thread | None
    made_us: int
    writer: str
    """`quotes`, or the model that worded it: then whoever is quoted must go on to allow prompts."""


class Cards:
    """The cards made so far, and the making of those that are missing, each by one caller at a time."""

    def __init__(self) -> None:
        self._cards: OrderedDict[PostId, tuple[float, Card]] = OrderedDict()
        # A lock is gone with the last who waits for it, however they leave.
        self._making: WeakValueDictionary[tuple[PostId, int], anyio.Lock] = WeakValueDictionary()

    async def get(self, write: Write, desk: Desk, post: Post, for_prompt: bool = False) -> Card | None:
        """Return a card that holds at this moment, its answers written by `write`; None if that gave up.

        What it shows is looked at once it is there: to write it takes a while, in which any of it may die.

        Raises:
            Refusal: the post has gone meanwhile, what it needs changes all the time, or too many answers are
                being written.
        """
        for _ in range(_TRIES):
            card = await self._get(write, desk, post)
            if card is None:
                return None
            shown = await desk.look_up(_as_it_stands, desk.house.index, card, for_prompt)
            if shown:
                return shown
            self._cards.pop(post.id, None)
            post = await find_post(desk, [post.id], for_prompt)
        said = "what others say of this post is changing; try again in a second"
        raise Refusal(503, said, code="changing", retry_after_s=1)

    async def _get(self, write: Write, desk: Desk, post: Post) -> Card | None:
        # Who is served first does not wait for who is not.
        making = post.id, caller().priority
        lock = self._making.setdefault(making, anyio.Lock())
        async with lock:
            until_s, card = self._cards.get(post.id, (0.0, None))
            if card and time.monotonic() < until_s and card.post.text == post.text:
                return card
            card = await _make(write, desk, post)
            if card:
                self._cards[post.id] = time.monotonic() + FRESH_S, card
                while len(self._cards) > MAX_CARDS:
                    self._cards.popitem(last=False)
            return card


class _Wanted(msgspec.Struct):
    url: str


async def explain(request: Request) -> Response:
    """Explain the post at `url` (of a POST's body, or of the address line), its address or its id."""
    desk = desk_of(request)
    desk.check_working()
    is_body = request.method == "POST"
    url = (await read_body(request, _Wanted)).url if is_body else request.query_params.get("url", "")
    if not 0 < len(url) <= MAX_ID_CHARS:
        raise Refusal(400, f"url takes 1 to {MAX_ID_CHARS:,} characters", code="invalid_request", param="url")
    for_prompt = is_for_prompt(request)
    post = await find_post(desk, candidate_ids(url), for_prompt)
    cards: Cards = request.app.state.cards
    card = await cards.get(partial(write_whole, request), desk, post, for_prompt)
    return json_response(card) if card else Response(status_code=LEFT)


async def _make(write: Write, desk: Desk, post: Post) -> Card | None:
    answers: list[Answer] = []
    scope = Scope(excluded_authors=(post.author,), is_readers=False)
    made_us = desk.house.now_us()
    for question in questions(post):
        answer = await write(Answering(desk, question, scope=scope, is_shared=True))
        if answer is None:
            return None
        answers.append(answer)
        if any(sentence.is_conflicting for sentence in answer.sentences):
            break
    sentences = tuple(choose(answers))
    writers = {answer.report.writer for answer in answers}
    return Card(
        post=post,
        text=say(post, sentences),
        sentences=sentences,
        thread=await desk.look_up(read_thread, desk.house.index, post),
        made_us=made_us,
        writer=max(writers - {"quotes"}, default="quotes"),
    )


def _as_it_stands(index: Searchable, card: Card, for_prompt: bool) -> Card | None:
    if not _holds(index, card):
        return None
    return _promptable(index, card) if for_prompt else card


def _promptable(index: Searchable, card: Card) -> Card | None:
    """Leave out what may not be put in a prompt; None if that is the post itself."""
    thread = read_thread(index, card.post, for_prompt=True)
    if thread is None:
        return None
    watch = Watch(Promptable(index))
    said = tuple(sentence for sentence in card.sentences if watch.pass_sentence(Shown(sentence=sentence)))
    return msgspec.structs.replace(card, sentences=said, text=say(card.post, said), thread=thread)


def _holds(index: Searchable, card: Card) -> bool:
    """Tell whether all that a card shows may still be shown as it was."""
    watch = Watch(index)
    shown = [card.post]
    if card.thread:
        quoted = [card.thread.quoted] if card.thread.quoted else []
        shown += [*card.thread.above, *card.thread.below, *quoted]
    living = index.fetch([post.id for post in shown])
    is_composed = card.writer != "quotes"
    return all(post.id in living and living[post.id].text == post.text for post in shown) and all(
        watch.pass_sentence(Shown(sentence=sentence, is_composed=is_composed)) for sentence in card.sentences
    )
