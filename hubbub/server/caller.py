"""Who asks, carried along by a request to all that is done for it; it decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from hubbub.server.keys import FIRST, NOBODY, SCOPES, Scope
from hubbub.server.rules import HouseRules


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant as it was when its request came in."""

    tenant: str = NOBODY
    key: str | None = None
    scopes: tuple[Scope, ...] = SCOPES
    priority: int = FIRST
    rules: HouseRules | None = None
    is_let_in: bool = False
    """It has had its turn: what is still to be done for it may wait, but is not refused."""


HOUSE = Caller(priority=0, is_let_in=True)
"""The house itself, which has deletions to tell: it goes before everybody."""

_CALLER: ContextVar[Caller] = ContextVar("caller", default=HOUSE)


def caller() -> Caller:
    """Tell for whom this task works; threads and tasks that it starts work for the same."""
    return _CALLER.get()


@contextmanager
def acting_for(who: Caller) -> Iterator[None]:
    """Work for someone within the block."""
    token = _CALLER.set(who)
    try:
        yield
    finally:
        _CALLER.reset(token)
