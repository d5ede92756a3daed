"""Software-stack profiles, each with its date: which constants of the model of time a run takes.

The constants are few, physical and shared by whole families of releases; they were fitted over whole
(model, GPU, precision) clusters, never to rows (docs/plan.md). It holds no formula of time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np

from hubbub.errors import InvalidInput
from hubbub.plan.cases import Column
from hubbub.plan.hardware import choose, read_data


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """One profile: its name, date (ISO), family of releases, and words that name it in published tables."""

    name: str
    date: str
    family: str
    match: tuple[str, ...]
    has_sequence_parallelism: bool = True


class Tuning(msgspec.Struct, kw_only=True):
    """The constants as columns.

    slim_clock, wide_clock: sustained speed of matrix products against the measured curves;
    cast: the price of quantising narrow outputs; start: of kernel starts; flash, flash_back, flash_s0:
    attention against the 16-bit peak; score_bytes, odd_head: unfused attention; passes: trips over memory;
    permute: trips of routed tokens; host_s, moe_host_s: host time a layer and pass; tp_seen, dp_seen,
    pp_seen, ep_seen, cp_seen: the share of traffic that is not hidden; wire: of a NIC's rate that NCCL
    reaches; hop_s: latency a doubling of domains; step_s: fixed time a step; grad_bytes: bytes a gradient.
    """

    slim_clock: Column
    wide_clock: Column
    cast: Column
    start: Column
    flash: Column
    flash_back: Column
    flash_s0: Column
    score_bytes: Column
    odd_head: Column
    passes: Column
    permute: Column
    host_s: Column
    moe_host_s: Column
    tp_seen: Column
    dp_seen: Column
    pp_seen: Column
    ep_seen: Column
    cp_seen: Column
    wire: Column
    hop_s: Column
    step_s: Column
    grad_bytes: Column


@cache
def stacks() -> dict[str, Stack]:
    """Return every profile by name, in the order in which they are matched."""
    rows = tomllib.loads(read_data("stacks.toml"))
    return {name: _stack(name, row) for name, row in rows.items()}


def _stack(name: str, row: Mapping[str, Any]) -> Stack:
    return Stack(
        name=name,
        date=row["date"].isoformat(),
        family=row["family"],
        match=tuple(row["match"]),
        has_sequence_parallelism=row.get("has_sequence_parallelism", row["date"].year >= 2023),
    )


def stack_of(row: Mapping[str, str]) -> Stack:
    """Return the profile that a row of the published table names by its software, its group or its year."""
    text = f"{row.get('software', '')} {row.get('group', '')}".lower()
    for stack in stacks().values():
        if any(word in text for word in stack.match):
            return stack
    return stacks()["fsdp-2024" if row.get("zero") in ("3", "hsdp") else "nemo-2024"]


def find_stack(name: str) -> Stack:
    """Return a profile by name.

    Raises:
        InvalidInput: no such profile.
    """
    return stacks()[choose("stack", name, list(stacks()))]
