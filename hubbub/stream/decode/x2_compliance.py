"""X's compliance streams (API v2): deletions, withholdings, accounts; posts are `x2.py`'s."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import msgspec

from hubbub.posts import AccountEvent, AccountStatus, Deletion
from hubbub.stream.decode.claimed_time import read_time_us
from hubbub.stream.decode.outcome import Dropped, Outcome
from hubbub.stream.decode.x_ids import status_uri, user_uri

_ACCOUNTS: dict[str, AccountStatus] = {
    "user_delete": "removed",
    "user_undelete": "restored",
    "user_protect": "protected",
    "user_unprotect": "restored",
    "user_suspend": "suspended",
    "user_unsuspend": "restored",
    "user_withheld": "suspended",
}
_EVERYWHERE = {"XX", "XY"}
"""In place of a country: withheld everywhere, by law or by a claim of copyright."""


Countries: TypeAlias = Collection[str]
"""Where the posts are read, as ISO 3166 codes; what X withholds elsewhere only does not concern us."""


class Withheld(msgspec.Struct):
    """What a post or an account says of itself where X withholds it."""

    copyright: bool = False
    country_codes: list[str] = []

    def binds(self, countries: Countries) -> bool:
        """Whether it must not be shown in these countries."""
        return self.copyright or _bind(self.country_codes, countries)


def _bind(codes: list[str], countries: Countries) -> bool:
    return any(code in _EVERYWHERE or code in countries for code in codes)


class _Post(msgspec.Struct):
    id: str
    author_id: str | None = None


class _User(msgspec.Struct):
    id: str


class _Notice(msgspec.Struct):
    tweet: _Post | None = None
    post: _Post | None = None
    user: _User | None = None
    event_at: str | None = None
    withheld_in_countries: list[str] = []


_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_notice_decoder = msgspec.json.Decoder(_Notice)


def read_compliance(data: msgspec.Raw, received_us: int | None, countries: Countries = ()) -> Outcome:
    """Read a compliance event; raises msgspec.DecodeError or InvalidEvent where it is none."""
    for name, raw in _fields_decoder.decode(data).items():
        if name in _ACCOUNTS:
            notice = _notice_decoder.decode(raw)
            if name == "user_withheld" and not _bind(notice.withheld_in_countries, countries):
                return Dropped("withheld in other countries")
            if notice.user is not None:
                at_us = _time_of(notice, received_us)
                account = AccountEvent(
                    author=user_uri(notice.user.id), status=_ACCOUNTS[name], received_us=at_us
                )
                return (account,)
        if name in ("delete", "withheld", "drop"):
            return _read_post_notice(name, _notice_decoder.decode(raw), received_us, countries)
    return Dropped("not a post")


def _read_post_notice(name: str, notice: _Notice, received_us: int | None, countries: Countries) -> Outcome:
    post = notice.tweet or notice.post
    if post is None:
        return Dropped("a compliance event without a post")
    if name == "withheld" and not _bind(notice.withheld_in_countries, countries):
        return Dropped("withheld in other countries")
    deletion = Deletion(
        id=status_uri(post.id),
        author=user_uri(post.author_id) if post.author_id else None,
        received_us=_time_of(notice, received_us),
        reason="deleted" if name == "delete" else "withheld",
    )
    return (deletion,)


def _time_of(notice: _Notice, received_us: int | None) -> int:
    return received_us if received_us is not None else read_time_us(notice.event_at) or 0
