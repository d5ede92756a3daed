"""All standing questions of one server: one pass over the new posts for all of them, and their readers.

A thread of its own matches and looks, and rests twice as long as it looked; deletions do not wait for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TypeAlias

import anyio
import anyio.to_thread

from hubbub.assistant.answer import Retraction
from hubbub.posts import AuthorId, Event, Post, PostId
from hubbub.server.alerts.channel import Channel
from hubbub.server.alerts.novelty import LEVELS, Novelty
from hubbub.server.alerts.standing import Standing, Standings
from hubbub.server.alerts.subject import Alert, Subject
from hubbub.server.desk import Desk
from hubbub.server.feed import POLL_S, Change, affects
from hubbub.server.scope import Scope
from hubbub.server.watch import Watch
from hubbub.web.streams import Emit
from hubbub.web.wire import KEEP_ALIVE, KEEP_ALIVE_S, Refusal

Key: TypeAlias = tuple[str, str, Novelty, bool]
"""Tenant, question, level, whether models may read it: who share one memory."""
Fallen: TypeAlias = list[tuple[Channel, list[Retraction]]]

RESUME_S = 300.0
"""A question without readers is kept so long, for those who come again."""
MAX_IDLE = 64
TAKEN_S = LOOKED_S = 0.2
"""Of matching, and of looking, at a stretch; then others have the interpreter for `REST` times as long."""
REST = 2.0
UNNOTICED_S = 0.02
"""A shorter stretch needs no rest."""

log = logging.getLogger("hubbub.server")


class Alerts:
    """Keeps the standing questions, and passes on what is new about each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._channels: dict[Key, Channel] = {}
        self._numbers: dict[int, Channel] = {}
        self._next_number = 0
        self._standings = Standings()
        self._needed = anyio.Event()
        self._listening = anyio.Event()
        self._one_thread = anyio.CapacityLimiter(1)
        self._to_forget: list[Change] = []
        self._has_lost_some = False
        self._failure = ""

    async def run(self) -> None:
        """Watch until cancelled; if that fails, its readers are sent away and answers go on."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._follow_posts)
                group.start_soon(self._follow_changes)
        except Exception as error:
            self._failure = f"{type(error).__name__}: {error}"
            log.exception("alerts have failed")
            for channel in self._channels.values():
                channel.close()

    def channels(self) -> list[Channel]:
        """Return the questions that are watched now."""
        return list(self._channels.values())

    def check_working(self) -> None:
        """Refuse where nothing new would be noticed.

        Raises:
            Refusal: watching has failed.
        """
        if self._failure:
            raise Refusal(
                503, f"alerts have stopped ({self._failure}); restart the house", code="feed_failed"
            )

    async def read(self, key: Key, standing: Standing, last_id: str, emit: Emit) -> None:
        """Pass alerts on to one reader until it leaves or falls too far behind."""
        channel = self._channels.get(key) or self._open(key, standing)
        async with channel.learning:
            if not channel.is_learned:
                # After the first events are waited for: what comes from here on is matched.
                await self._listening.wait()
                await anyio.to_thread.run_sync(channel.subject.learn, limiter=self._one_thread)
                channel.is_learned = True
        receive = channel.join(last_id, self._desk.house.now_us())
        try:
            while True:
                frame = KEEP_ALIVE
                with anyio.move_on_after(KEEP_ALIVE_S):
                    frame = await receive.receive()
                await emit(frame)
        except anyio.EndOfStream:
            pass
        finally:
            channel.leave(receive)

    def _open(self, key: Key, standing: Standing) -> Channel:
        index = Scope(for_prompt=key[3]).narrow(self._desk.house.index)
        channel = Channel(
            key[1],
            key[2],
            Subject(index, standing, LEVELS[key[2]]),
            Watch(index),
            self._desk.limits.max_buffered,
        )
        self._channels[key] = self._numbers[self._next_number] = channel
        self._standings.add(self._next_number, standing)
        self._next_number += 1
        self._needed.set()
        return channel

    def _close_idle(self) -> None:
        """Let go of questions that nobody reads, the longest idle first."""
        # Who has found a channel and waits until it has learned is no reader yet, but will be.
        left = ((key, one) for key, one in self._channels.items() if not one.learning.locked())
        idle = sorted((one.idle_s, key) for key, one in left if one.idle_s)
        for place, (idle_s, key) in enumerate(reversed(idle)):
            if idle_s > RESUME_S or place < len(idle) - MAX_IDLE:
                channel = self._channels.pop(key)
                number = next(n for n, other in self._numbers.items() if other is channel)
                del self._numbers[number]
                self._standings.remove(number)

    async def _follow_posts(self) -> None:
        while True:
            await self._needed.wait()
            with self._desk.house.subscribe() as subscription:
                self._listening.set()
                while self._channels:
                    # A stopping server does not wait for the call; what it would return nobody needs.
                    events = await anyio.to_thread.run_sync(
                        subscription.get, POLL_S, limiter=self._one_thread, abandon_on_cancel=True
                    )
                    await self._look(events)
                    self._close_idle()
            self._needed, self._listening = anyio.Event(), anyio.Event()

    async def _look(self, events: Sequence[Event]) -> None:
        began_s = time.monotonic()
        posts = [event for event in events if isinstance(event, Post)]
        found = await anyio.to_thread.run_sync(self._match, posts, limiter=self._one_thread)
        for channel, alert in found:
            async with channel.turn:
                if await self._desk.look_up(channel.check, alert):
                    self._desk.streams.num_slow_dropped += channel.tell(alert)
        took_s = time.monotonic() - began_s
        if took_s > UNNOTICED_S:
            await anyio.sleep(REST * min(took_s, 1.0))

    def _match(self, posts: Sequence[Post]) -> list[tuple[Channel, Alert]]:
        """Hand each post to the questions it is about, then look at those that may have something new."""
        self._forget()
        until_s = time.monotonic() + TAKEN_S
        for post in reversed(posts):  # where there are too many, the newest count
            for number in self._standings.match(post):
                if channel := self._numbers.get(number):
                    channel.subject.take(post)
            if time.monotonic() > until_s:
                break
        now_us, until_s = self._desk.house.now_us(), time.monotonic() + LOOKED_S
        found = []
        # First those that the last stretches did not reach.
        for channel in sorted(self._numbers.values(), key=lambda channel: channel.looked_s):
            if time.monotonic() > until_s:
                break
            channel.looked_s = time.monotonic()
            if channel.is_learned and (alert := channel.subject.look(now_us)):
                found.append((channel, alert))
        return found

    async def _follow_changes(self) -> None:
        with self._desk.feed.listen() as listener:
            while True:
                changes, has_lost_some = await listener.get()
                channels = list(self._channels.values())
                if not channels:
                    continue
                self._to_forget += changes
                self._has_lost_some |= has_lost_some
                for channel in channels:
                    await channel.turn.acquire()
                try:
                    await self._withdraw(channels, changes, has_lost_some)
                finally:
                    for channel in channels:
                        channel.turn.release()

    async def _withdraw(self, channels: list[Channel], changes: list[Change], has_lost_some: bool) -> None:
        authors: dict[PostId, AuthorId] = {}
        for channel in channels:
            authors |= channel.watch.authors()
        fallen = await self._desk.look_up(self._find_fallen, channels, changes, has_lost_some)
        for channel, retractions in fallen:
            for retraction in retractions:
                self._desk.streams.num_slow_dropped += channel.withdraw(retraction)
        gone = {event.post for _, retractions in fallen for event in retractions}
        if gone and self._desk.stamps:
            self._desk.stamps.note_retracted(changes, [(post, authors.get(post)) for post in gone])

    @staticmethod
    def _find_fallen(channels: list[Channel], changes: list[Change], has_lost_some: bool) -> Fallen:
        found = ((channel, channel.watch.change(changes, has_lost_some)) for channel in channels)
        return [(one, [event for event in fallen if isinstance(event, Retraction)]) for one, fallen in found]

    def _forget(self) -> None:
        """Let no question remember what was deleted since the last stretch."""
        changes, has_lost_some = self._to_forget, self._has_lost_some
        self._to_forget, self._has_lost_some = [], False
        for channel in list(self._numbers.values()) if changes or has_lost_some else []:
            channel.subject.forget(
                {
                    post.id
                    for post in channel.subject.memory.posts().values()
                    if has_lost_some or any(affects(change, post.id, post.author) for change in changes)
                }
            )
