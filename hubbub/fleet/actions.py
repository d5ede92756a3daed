"""What the policy may decide, each with its reason; carrying it out is the state's, or an adapter's."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hubbub.fleet.placement import Share


class Start(msgspec.Struct, frozen=True, gc=False):
    """Run a waiting job on these GPUs."""

    job: str
    pool: str
    shares: tuple[Share, ...]
    reason: str
    is_by_right: bool = False


class Preempt(msgspec.Struct, frozen=True, gc=False):
    """Let a running job save and leave; it waits again, at the head of its queue."""

    job: str
    reason: str
    for_job: str = ""


class Rent(msgspec.Struct, frozen=True, gc=False):
    """Order so many nodes of a rented pool for a waiting job."""

    pool: str
    num_nodes: int
    for_job: str
    reason: str


class Release(msgspec.Struct, frozen=True, gc=False):
    """Give rented nodes back."""

    pool: str
    nodes: tuple[int, ...]
    reason: str


Action: TypeAlias = Start | Preempt | Rent | Release
