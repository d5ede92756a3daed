"""What a follower asks a Mastodon server besides its stream: where that is, what was missed, what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

import msgspec

from hubbub.stream.live.address import Address
from hubbub.stream.live.asking import ask, decode_answer, open_client
from hubbub.stream.live.link import Refused

PAGE = 40
"""The most that a page of a timeline holds."""
LATE_MS = 300_000
"""Posts from other servers mostly come sooner than this after they were written."""
SNOWFLAKE_BITS = 16
"""Below these, a number is the time in ms (mastodon, lib/mastodon/snowflake.rb)."""
CHECKED = 20
"""The most statuses that may be asked for at once."""
_TIMELINES = {
    "public": ("/api/v1/timelines/public", {}),
    "public:local": ("/api/v1/timelines/public", {"local": "true"}),
    "public:remote": ("/api/v1/timelines/public", {"remote": "true"}),
    "user": ("/api/v1/timelines/home", {}),
}


class _Urls(msgspec.Struct):
    streaming: str = ""


class _Configuration(msgspec.Struct):
    urls: _Urls = msgspec.field(default_factory=_Urls)


class _Instance(msgspec.Struct):
    configuration: _Configuration = msgspec.field(default_factory=_Configuration)


class Status(msgspec.Struct):
    """What must be known of a status; the rest is the decoder's."""

    id: str
    edited_at: str | None = None


class Rest:
    """One server, asked with one token."""

    def __init__(self, address: Address, token: str | None) -> None:
        self._client = open_client(address.http_origin, token)

    def __enter__(self) -> Rest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._client.close()

    def streaming_url(self) -> str:
        """Return where the server streams, as `wss://streaming.town.example`; empty if it does not say."""
        try:
            found = msgspec.json.decode(ask(self._client, "/api/v2/instance"), type=_Instance)
        except msgspec.DecodeError:
            return ""
        except Refused as error:
            if error.status == 404:
                return ""  # a server of before 4.0, or of another make: it streams where it is
            raise
        return found.configuration.urls.streaming.rstrip("/")

    def missed(self, stream: str, tag: str, after: str) -> Iterator[Sequence[msgspec.Raw]]:
        """Yield pages of a timeline behind a status, oldest first, up to what comes while it runs.

        It begins `LATE_MS` earlier: a post from another server is numbered by when it was written.
        """
        after = earlier(after)
        path, fixed = timeline_of(stream, tag)
        while True:
            data = ask(self._client, path, {**fixed, "min_id": after, "limit": str(PAGE)})
            page = decode_answer(data, list[msgspec.Raw])
            if not page:
                return
            page.sort(key=lambda raw: order_of(decode_answer(raw, Status).id))
            newest = decode_answer(page[-1], Status).id
            yield page
            if order_of(newest) <= order_of(after):
                return
            after = newest

    def newest(self, stream: str, tag: str) -> str | None:
        """Return the newest status of a timeline, None if it is empty."""
        path, fixed = timeline_of(stream, tag)
        page = decode_answer(ask(self._client, path, {**fixed, "limit": "1"}), list[Status])
        return page[0].id if page else None

    def living(self, numbers: Sequence[str]) -> dict[str, tuple[Status, msgspec.Raw]]:
        """Return those of the statuses that are still there."""
        raws = decode_answer(
            ask(self._client, "/api/v1/statuses", {"id[]": list(numbers)}), list[msgspec.Raw]
        )
        statuses = [(decode_answer(raw, Status), raw) for raw in raws]
        return {status.id: (status, raw) for status, raw in statuses}

    def is_gone(self, number: str) -> bool:
        """Whether the server says of a single status that it is not there."""
        try:
            ask(self._client, f"/api/v1/statuses/{number}")
        except Refused as error:
            return error.status in (404, 410)
        return False


def timeline_of(stream: str, tag: str) -> tuple[str, dict[str, str]]:
    """Return path and query of the timeline that shows what a stream has sent."""
    if stream.startswith("hashtag"):
        return f"/api/v1/timelines/tag/{tag}", {"local": "true"} if stream.endswith(":local") else {}
    if stream == "list":
        return f"/api/v1/timelines/list/{tag}", {}
    path, query = _TIMELINES[stream]
    return path, dict(query)


def earlier(number: str) -> str:
    """Return the number that a status `LATE_MS` older would have; the same where numbers tell no time."""
    if not number.isdecimal():
        return number
    return str(max(0, int(number) - (LATE_MS << SNOWFLAKE_BITS)))


def order_of(number: str) -> tuple[int, str]:
    """Order numbers of statuses as the server does: by age, the longer and then the larger being newer."""
    return len(number), number
