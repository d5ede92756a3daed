"""What the policy may decide, each with its reason; carrying it out is the state's, or an adapter's."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hubbub.fleet.placement import Share


class Start(msgspec.Struct, frozen=True, gc=False):
    """Run a waiting job on these GPUs; an elastic one may get fewer than it asked for."""

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


class Shrink(msgspec.Struct, frozen=True, gc=False):
    """Let a running elastic job save and go on with fewer GPUs."""

    job: str
    gpus: int
    shares: tuple[Share, ...]
    """All that it keeps."""
    reason: str
    for_job: str = ""


class Grow(msgspec.Struct, frozen=True, gc=False):
    """Let a running elastic job save and go on with more GPUs of the same pool."""

    job: str
    gpus: int
    shares: tuple[Share, ...]
    """All that it then holds."""
    reason: str


class Cap(msgspec.Struct, frozen=True, gc=False):
    """Limit what each GPU of a running job draws, with its part of the server; it then runs slower."""

    job: str
    kw_per_gpu: float
    reason: str


class Lend(msgspec.Struct, frozen=True, gc=False):
    """Told, not done: a job that starts borrows idle GPUs that are guaranteed to a tenant."""

    tenant: str
    to: str
    gpus: int
    job: str
    reason: str


class TakeBack(msgspec.Struct, frozen=True, gc=False):
    """Told, not done: a job gives way because its GPUs are guaranteed to a tenant."""

    tenant: str
    lent_to: str
    gpus: int
    job: str
    for_job: str
    reason: str


class SwapDelivery(msgspec.Struct, frozen=True, gc=False):
    """Send GPUs of a shipment to another tenant than the one that ordered them."""

    shipment: str
    ordered_by: str
    goes_to: str
    gpus: int
    reason: str


class Drain(msgspec.Struct, frozen=True, gc=False):
    """Start nothing more on a node, until somebody looked at it."""

    pool: str
    node: int
    reason: str


class Avoid(msgspec.Struct, frozen=True, gc=False):
    """Start on a node only where its equals do not suffice: it fails more often than they do."""

    pool: str
    node: int
    reason: str


class Restore(msgspec.Struct, frozen=True, gc=False):
    """Take a drained node in again; only people decide so."""

    pool: str
    node: int
    reason: str


Action: TypeAlias = (
    Start
    | Preempt
    | Rent
    | Release
    | Shrink
    | Grow
    | Cap
    | Lend
    | TakeBack
    | SwapDelivery
    | Drain
    | Avoid
    | Restore
)
"""Who carries them out must ignore what is only told (Lend, TakeBack), and say what it cannot do."""
