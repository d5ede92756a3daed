"""`GET /api/live`: posts as they arrive, what changed, how the house is doing; the same for all."""

from __future__ import annotations

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream
from starlette.requests import Request
from starlette.responses import Response

from hubbub.posts import AccountEvent, Deletion, Edit, Post, PostId
from hubbub.server.desk import Desk, desk_of
from hubbub.server.feed import Change
from hubbub.web.streams import Emit
from hubbub.web.wire import KEEP_ALIVE, encode_event

STATUS_S = 1.0
MAX_CHARS = 2_000
"""Of a post's text in the stream: a ten-million-character post must not go to every reader."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True, tag="left_out"):
    """Posts that arrived and were not sent, because nobody could read so fast."""

    num_posts: int


class Edited(msgspec.Struct, frozen=True, kw_only=True, tag="edit"):
    """A post has a new version; who shows it fetches it, so that its text passes the index's filters."""

    post: PostId
    replaces: PostId


class Live:
    """Writes each frame once and hands it to every open reader."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._readers: set[MemoryObjectSendStream[bytes]] = set()
        self._status = b""
        # Posts are looked up and sent, or changes told, never both at once: else a post that was looked up
        # before a change could be sent after it.
        self._turn = anyio.Lock()

    async def run(self) -> None:
        """Send until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._send_changes)
            group.start_soon(self._send_posts)
            group.start_soon(self._send_status)

    async def read(self, emit: Emit) -> None:
        """Pass frames on to one reader until it leaves or falls too far behind."""
        send, receive = anyio.create_memory_object_stream[bytes](self._desk.limits.max_buffered)
        self._readers.add(send)
        try:
            async with receive:
                await emit(self._status or KEEP_ALIVE)
                async for frame in receive:
                    await emit(frame)
        finally:
            self._readers.discard(send)
            send.close()

    def _broadcast(self, frame: bytes) -> None:
        if not frame:
            return
        for reader in list(self._readers):
            try:
                reader.send_nowait(frame)
            except (anyio.WouldBlock, anyio.BrokenResourceError):
                # It would miss a deletion; it must come again and look at everything it shows.
                self._readers.discard(reader)
                self._desk.streams.num_slow_dropped += 1
                reader.close()

    async def _send_changes(self) -> None:
        with self._desk.feed.listen() as listener:
            while True:
                changes, has_lost_some = await listener.get()
                frames = [_encode_change(change) for change in changes]
                if has_lost_some:
                    frames.append(encode_event("recheck", {"type": "recheck"}))
                async with self._turn:
                    self._broadcast(b"".join(frames))

    async def _send_posts(self) -> None:
        while True:
            await anyio.sleep(self._desk.limits.tick_ms / 1000)
            newest, num_posts = self._desk.feed.take_posts()
            if num_posts and self._readers:
                async with self._turn:
                    living = await self._desk.look_up(self._desk.house.index.fetch, newest)
                    self._broadcast(
                        self._encode_posts(
                            [living[p] for p in newest if p in living], num_posts - len(newest)
                        )
                    )

    def _encode_posts(self, living: list[Post], num_unseen: int) -> bytes:
        shown = living[-self._desk.limits.posts_per_tick :]
        frames = [encode_event("post", _shorten(post)) for post in shown]
        # Posts that were looked at and may not be shown are not "left out".
        num_left_out = num_unseen + len(living) - len(shown)
        if num_left_out:
            frames.append(encode_event("left_out", LeftOut(num_posts=num_left_out)))
        return b"".join(frames)

    async def _send_status(self) -> None:
        while True:
            if self._readers or not self._status:
                status = await self._desk.look_up(self._desk.house.status)
                self._status = encode_event("status", status)
                self._broadcast(self._status)
            await anyio.sleep(STATUS_S)


async def live(request: Request) -> Response:
    """Stream `post`, `left_out`, `deletion`, `edit`, `account`, `consent`, `recheck` and `status` events."""
    desk = desk_of(request)
    desk.check_working()
    channel = request.app.state.live
    assert isinstance(channel, Live)
    return desk.streams.response(channel.read)


def _shorten(post: Post) -> Post:
    """Keep what a list can show; who opens the post fetches it whole."""
    return post if len(post.text) <= MAX_CHARS else msgspec.structs.replace(post, text=post.text[:MAX_CHARS])


def _encode_change(change: Change) -> bytes:
    if isinstance(change, Edit):
        return encode_event("edit", Edited(post=change.post.id, replaces=change.replaces))
    if isinstance(change, Deletion):
        return encode_event("deletion", change)
    if isinstance(change, AccountEvent):  # who shows posts of it asks for them again, by the index's filters
        return encode_event("account", msgspec.structs.replace(change, handle=None))
    return encode_event(change.__struct_config__.tag, change)  # type: ignore[arg-type]
