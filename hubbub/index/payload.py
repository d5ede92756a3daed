"""The payload of a point, the same in the embedded engine and on its server; no engine is imported here.

`post` (sequence number, space, JSON), `tokens` (text index), `received` (microseconds, range index), and
`state` (keywords) on the few posts that are held back. Few fields: each costs the embedded engine 8 us.
"""

from __future__ import annotations

from hubbub.index.document import Document
from hubbub.index.plan import MAX_TIME_US, Plan

HIDDEN, UNPROMPTABLE = "hidden", "unpromptable"


def make_payload(document: Document) -> dict[str, object]:
    """Build the payload of a document."""
    payload: dict[str, object] = {
        "post": f"{document.seq} {document.post}",
        "tokens": document.tokens,
        "received": clamp_us(document.received_us),
    }
    if document.is_hidden or document.is_unpromptable:
        payload["state"] = make_state(document.is_hidden, document.is_unpromptable)
    return payload


def clamp_us(time_us: int) -> int:
    """Return the time as the engine can compare it exactly."""
    return max(-MAX_TIME_US, min(MAX_TIME_US, time_us))


def make_state(is_hidden: bool, is_unpromptable: bool) -> list[str]:
    """Build the payload field of the flags."""
    return [HIDDEN] * is_hidden + [UNPROMPTABLE] * is_unpromptable


def read_post(payload: str) -> tuple[int, str]:
    """Return sequence number and JSON of the `post` field."""
    seq, _, post = payload.partition(" ")
    return int(seq), post


def since_us(plan: Plan, from_us: int | None) -> int | None:
    """Return the later of a leg's own start and the plan's."""
    return plan.from_us if from_us is None else max(from_us, plan.from_us or from_us)
