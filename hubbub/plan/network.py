"""Collectives by where their group lies: inside one scale-up domain by measured curves, else over NICs.

A group of n ranks at distance `stride` has r of them in each domain. Between domains it moves at
min(link, NIC x r): a group of whole servers drives all their NICs, one with a single rank a server one NIC.
It knows no model.
"""

from __future__ import annotations

import numpy as np

from hubbub.plan.cases import Cases, Column
from hubbub.plan.stacks import Tuning

# Latency of one doubling of domains, s: NCCL trees over InfiniBand (Jeaugey, "Massively scale your deep
# learning training with NCCL 2.4", 2019: tens of us at thousands of GPUs).
HOP_S = 8e-6


def in_domain(c: Cases, size: Column, stride: Column) -> Column:
    """Return how many ranks of a group lie in one domain."""
    return np.clip(np.floor(c.domain / stride), 1.0, np.maximum(size, 1.0))


def rate(c: Cases, t: Tuning, size: Column, stride: Column, measured: Column) -> Column:
    """Return the bytes a second at which a ring of the group moves.

    Above a pod the tier is thinner, but of a ring's ranks in a pod only one sends across it. Where there are
    pods, pipelines lie within them and replicas across (arXiv 2407.21783, section 3.3.2).
    """
    ranks = in_domain(c, size, stride)
    wire = c.nic * t.wire * ranks
    if np.any(c.pod > 0):
        outer = stride * c.pp
        share = np.clip(np.floor(c.pod / outer), 1.0, size)
        beyond = (c.pod > 0) & (size * outer > c.pod)
        wire = wire / np.where(beyond, np.maximum(c.oversubscription / share, 1.0), 1.0)
    return np.where(size > ranks, np.minimum(measured, wire), measured)


def latency(c: Cases, size: Column, stride: Column, alpha: Column) -> Column:
    """Return the seconds before the bytes flow: measured inside a domain, and log2 of the domains beyond."""
    hops = np.maximum(size / in_domain(c, size, stride), 1.0)
    return alpha + HOP_S * np.log2(hops)


def all_reduce(c: Cases, t: Tuning, num_bytes: Column, size: Column, stride: Column) -> Column:
    """Return the seconds of an all-reduce: alpha + 2 (n-1)/n S/B (Thakur 2005; NCCL tests' bus bandwidth)."""
    moved = 2.0 * (size - 1) / size * num_bytes / rate(c, t, size, stride, c.reduce_rate)
    return np.where(size > 1, latency(c, size, stride, c.reduce_alpha) + moved, 0.0)


def all_gather(c: Cases, t: Tuning, num_bytes: Column, size: Column, stride: Column) -> Column:
    """Return the seconds of an all-gather or reduce-scatter of S bytes in all: alpha + (n-1)/n S/B."""
    moved = (size - 1) / size * num_bytes / rate(c, t, size, stride, c.gather_rate)
    return np.where(size > 1, latency(c, size, stride, c.gather_alpha) + moved, 0.0)


def all_to_all(
    c: Cases, t: Tuning, num_bytes: Column, size: Column, stride: Column, copies: Column
) -> Column:
    """Return the seconds of an all-to-all of S bytes a rank, S holding every token `copies` times.

    What stays in the domain moves at the link, the rest at each rank's own NIC, both at once. Where the
    stack sends a token once to a domain however many of its copies go there (DeepEP, HybridEP), domains x
    (1 - (1 - 1/domains)^copies) leave in place of `copies`.
    """
    inside = in_domain(c, size, stride)
    domains = np.maximum(size / inside, 1.0)
    once = domains * (1 - (1 - 1 / domains) ** copies) / np.maximum(copies, 1.0)
    near = num_bytes * np.maximum(inside - 1, 0) / inside / c.exchange_rate
    beyond = (c.pod > 0) & (size * stride > c.pod)
    nic = c.nic * t.wire / np.where(beyond, c.oversubscription, 1.0)
    far = num_bytes * (1 - 1 / domains) * (t.is_deduplicated * once + (1 - t.is_deduplicated)) / nic
    return np.where(size > 1, latency(c, size, stride, c.exchange_alpha) + np.maximum(near, far), 0.0)


def send(c: Cases, t: Tuning, num_bytes: Column, stride: Column) -> Column:
    """Return the seconds of sending S bytes to the next stage.

    Over the link while the whole pipeline shares a domain, else over the rank's own NIC; pods hold pipelines
    that fit into them.
    """
    beyond = (c.pod > 0) & (c.tp * c.cp * c.pp > c.pod)
    nic = c.nic * t.wire / np.where(beyond, c.oversubscription, 1.0)
    speed = np.where(stride * c.pp <= c.domain, c.exchange_rate, nic)
    return np.where(c.pp > 1, HOP_S + num_bytes / speed, 0.0)
