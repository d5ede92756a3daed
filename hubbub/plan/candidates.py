"""Every legal layout of a model on so many GPUs, as columns, and what was refused before it was timed.

It knows which sizes can be, not how fast or how large they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import cast

import msgspec
import numpy as np

from hubbub.errors import InvalidInput
from hubbub.plan.cases import KEPT, LAYOUT_COLUMNS, RECOMPUTED, Column
from hubbub.plan.hardware import choose
from hubbub.plan.stacks import find_stack
from hubbub.specs import RECOMPUTES, Layout, RunSpec

# A micro batch of more tokens on one GPU makes no product faster (gemm_fit.csv: m0 is below 2,000 rows).
MOST_TOKENS = 65536
# Fewer tokens of a sequence on a GPU than a tile of a flash kernel (arXiv 2307.08691) are not worth cutting.
LEAST_TOKENS = 128
# Layouts that leave more idle than this share of what the best filling one uses are not looked at: below a
# power of 2 there are always sizes that leave half, and the bubble of sizes that fit 2,304 can cost more.
_IDLE = 0.4
# Of one shape, only replicas within this share of the most are looked at: fewer help no more than to make the
# number of micro batches divide.
_FEWER = 0.1
# Shards of FSDP over some replicas only (HSDP, arXiv 2304.11277 section 3.2.2), counted in NVLink domains.
_SHARD_DOMAINS = (1, 4, 16, 64)
# No published layout has a tensor or context group of more than this.
_MOST_TP, _MOST_CP = 64, 64

Fixed = Mapping[str, int | str]
Structure = tuple[int, int, int, int, int, int]


class Candidates(msgspec.Struct, kw_only=True):
    """Legal layouts: `columns` are those of LAYOUT_COLUMNS and `mode`, an index into `modes` of recompute."""

    columns: dict[str, Column]
    modes: tuple[str, ...]
    is_sp: bool
    refused: Counter[str]

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self.columns["tp"])

    def cases(self, part: slice) -> dict[str, Column]:
        """Return the columns that the model of time takes, of some of them."""
        columns = {name: self.columns[name][part] for name in LAYOUT_COLUMNS}
        mode = self.columns["mode"][part].astype(np.intp)
        columns["recompute"] = np.array([RECOMPUTED[name] for name in self.modes])[mode]
        columns["kept"] = np.array([KEPT[name] for name in self.modes])[mode]
        columns["is_selective"] = np.array([float(name == "selective") for name in self.modes])[mode]
        columns["is_sp"] = np.where(columns["tp"] > 1, float(self.is_sp), 0.0)
        return columns

    def layout(self, index: int) -> Layout:
        """Return one of them."""
        sizes = {name: int(self.columns[name][index]) for name in LAYOUT_COLUMNS}
        mode = self.modes[int(self.columns["mode"][index])]
        return Layout(**sizes, recompute=mode, is_sequence_parallel=self.is_sp)


def candidates(run: RunSpec, num_gpus: int, fixed: Fixed | None = None) -> Candidates:
    """Return every legal layout of a run (whose own layout does not count) on at most `num_gpus`.

    `fixed` holds fields of Layout that must be so. Left out is what changes nothing: ZeRO without replicas
    or stage 0 with them (it holds more and is never faster), stage 2 under pipelining, and selective
    recompute under flash attention, which does it anyway.

    Raises:
        InvalidInput: a fixed field has a value that no legal layout has.
    """
    fixed = fixed or {}
    refused: Counter[str] = Counter()
    rows = list(_structures(run, num_gpus, fixed, refused))
    most = max((_used(row) for row in rows), default=0)
    kept = [row for row in rows if _used(row) >= (1 - _IDLE) * most]
    if len(kept) < len(rows):
        refused[f"groups of replicas leave more than {_IDLE:.0%} of the GPUs idle"] += len(rows) - len(kept)
    columns = _with_states(run, _with_schedules(run, kept, fixed, refused), fixed)
    modes = _modes(run, fixed)
    tiled = {name: np.repeat(values, len(modes)) for name, values in columns.items()}
    tiled["mode"] = np.tile(np.arange(len(modes), dtype=np.float64), len(columns["tp"]))
    is_sp = find_stack(run.stack).has_sequence_parallelism
    return Candidates(columns=tiled, modes=modes, is_sp=is_sp, refused=refused)


def _modes(run: RunSpec, fixed: Fixed) -> tuple[str, ...]:
    if "recompute" in fixed:
        return (choose("recompute", str(fixed["recompute"]), list(RECOMPUTED)),)
    return tuple(mode for mode in RECOMPUTES if mode != "selective" or run.attention != "flash")


def _used(row: Structure) -> int:
    tp, pp, cp, _, _, dp = row
    return tp * pp * cp * dp


def _structures(run: RunSpec, num_gpus: int, fixed: Fixed, refused: Counter[str]) -> Iterator[Structure]:
    """Yield tp, pp, cp, ep, etp and dp; of dp the divisors of the batch that fill the GPUs best."""
    model = run.model
    eps = divisors(model.num_experts) if model.num_experts else (1,)
    batches = _allowed(divisors(run.global_batch), "dp", fixed)
    shapes = (
        (tp, pp, cp)
        for tp in _allowed(tensor_sizes(run, num_gpus, refused), "tp", fixed)
        for pp in _allowed(pipeline_sizes(run, num_gpus, refused), "pp", fixed)
        for cp in _allowed(context_sizes(run, num_gpus), "cp", fixed)
        if tp * pp * cp <= num_gpus and run.seq_len // cp % tp == 0
    )
    eps = tuple(_allowed(eps, "ep", fixed))
    for tp, pp, cp in shapes:
        etps = sorted({1, tp}) if model.num_experts and model.moe_ffn % tp == 0 else [1]
        for etp in _allowed(etps, "etp", fixed):
            for ep in eps:
                # The groups of the experts tile the replicas of a stage.
                step = math.lcm(tp * cp, ep * etp) // (tp * cp)
                sizes = [d for d in batches if d * tp * pp * cp <= num_gpus and d % step == 0]
                yield from ((tp, pp, cp, ep, etp, d) for d in sizes if d >= (1 - _FEWER) * sizes[-1])


def _allowed(sizes: Sequence[int], name: str, fixed: Fixed) -> list[int]:
    """Return the sizes, or the one that is fixed. Raises InvalidInput: the one is not among them."""
    if name not in fixed:
        return list(sizes)
    wanted = fixed[name]
    if wanted not in sizes:
        number = wanted if isinstance(wanted, int) else 1
        near = min(sizes, key=lambda size: abs(size - number), default=1)
        raise InvalidInput(
            f"{name} is {wanted!r}; no legal layout has it, the nearest that one has is {near}"
        )
    return [cast(int, wanted)]


def tensor_sizes(run: RunSpec, num_gpus: int, refused: Counter[str]) -> list[int]:
    """Return the tensor-parallel sizes that divide heads and width and tile an NVLink domain.

    A domain of 72 is used as 64 by groups of a power of 2.
    """
    model, domain = run.model, run.cluster.link_domain
    sizes = [
        tp
        for tp in divisors(model.num_heads)
        if tp <= min(num_gpus, _MOST_TP)
        and not (model.num_kv_heads % tp and tp % model.num_kv_heads)
        and model.ffn % tp == 0
    ]
    large = [tp for tp in sizes if tp > domain]
    odd = [tp for tp in sizes if tp < domain and domain % tp and 2 ** int(math.log2(domain)) % tp]
    for wrong, told in ((large, "leaves the NVLink domain of"), (odd, "straddles NVLink domains of")):
        if wrong:
            refused[f"TP {', '.join(map(str, wrong))} {told} {domain}"] += len(wrong)
    return [tp for tp in sizes if tp not in (*large, *odd)]


def pipeline_sizes(run: RunSpec, num_gpus: int, refused: Counter[str]) -> list[int]:
    """Return the numbers of stages of which none is empty when all but the last hold equally many layers."""
    layers = run.model.num_layers
    legal = []
    for pp in range(1, min(layers, num_gpus) + 1):
        if (pp - 1) * math.ceil(layers / pp) < layers:
            legal.append(pp)
        else:
            refused[f"sizes of PP leave a stage without any of the {layers} layers"] += 1
    return legal


def context_sizes(run: RunSpec, num_gpus: int) -> list[int]:
    """Return the powers of 2 that cut a sequence: into two chunks a rank, which evens the mask out."""
    seq, sizes = run.seq_len, [2**n for n in range(1 + int(math.log2(min(_MOST_CP, num_gpus))))]
    return [size for size in sizes if size == 1 or (seq % (2 * size) == 0 and seq // size >= LEAST_TOKENS)]


@cache
def divisors(number: int) -> tuple[int, ...]:
    """Return the divisors of a number above 0, smallest first."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}))


def _with_schedules(
    run: RunSpec, rows: list[Structure], fixed: Fixed, refused: Counter[str]
) -> dict[str, Column]:
    """Give every structure its interleaved chunks and micro batches."""
    known: dict[tuple[int, int, int], Column] = {}
    parts, counts = [], []
    for _, pp, cp, _, _, dp in rows:
        key = (pp, cp, run.global_batch // dp)
        if key not in known:
            known[key] = np.array(_schedules(run, key, fixed, refused), dtype=np.float64).reshape(-1, 2)
        parts.append(known[key])
        counts.append(len(known[key]))
    whole = np.repeat(np.array(rows, dtype=np.float64).reshape(-1, 6), counts, axis=0)
    both = np.concatenate([*parts, np.zeros((0, 2))])
    columns = {name: whole[:, n] for n, name in enumerate(("tp", "pp", "cp", "ep", "etp", "dp"))}
    return {**columns, "vpp": both[:, 0], "micro_batch": both[:, 1]}


def _schedules(
    run: RunSpec, key: tuple[int, int, int], fixed: Fixed, refused: Counter[str]
) -> list[tuple[int, int]]:
    """Return the chunks and micro batches of a stage; interleaving needs micro batches in multiples of PP."""
    pp, cp, each = key
    chunks = divisors(math.ceil(run.model.num_layers / pp)) if pp > 1 else (1,)
    found = []
    for micro in divisors(each):
        is_large = micro > 1 and micro * run.seq_len // cp > MOST_TOKENS
        for vpp in chunks:
            if fixed.get("micro_batch", micro) != micro or fixed.get("vpp", vpp) != vpp:
                continue
            if is_large and "micro_batch" not in fixed:
                refused[f"micro batches are above {MOST_TOKENS:,} tokens on a GPU"] += 1
            elif vpp > 1 and each // micro % pp:
                refused["interleaving needs a number of micro batches that PP divides"] += 1
            else:
                found.append((vpp, micro))
    return found


def _with_states(run: RunSpec, columns: dict[str, Column], fixed: Fixed) -> dict[str, Column]:
    """Give every layout its ZeRO stages, and stage 3 its shards over some replicas only."""
    replicas = columns["dp"] * columns["cp"]
    whole = np.zeros_like(replicas)
    is_alone = replicas <= 1
    useful = (is_alone, ~is_alone, ~is_alone & (columns["pp"] <= 1), ~is_alone)
    kinds = [(zero, whole, np.flatnonzero(useful[zero] | ("zero" in fixed))) for zero in range(4)]
    for domains in _SHARD_DOMAINS:
        ranks = 2.0 ** np.floor(np.log2(np.maximum(domains * run.cluster.link_domain / columns["tp"], 1.0)))
        does_tile = (ranks > 1) & (ranks < replicas) & (replicas % ranks == 0)
        kinds.append((3, ranks, np.flatnonzero(does_tile)))
    stages = _allowed(range(4), "zero", fixed)
    kinds = [kind for kind in kinds if kind[0] in stages]
    index = np.concatenate([rows for _, _, rows in kinds])
    grown = {name: values[index] for name, values in columns.items()}
    grown["zero"] = np.repeat([float(zero) for zero, _, _ in kinds], [len(rows) for _, _, rows in kinds])
    grown["shard"] = np.concatenate([ranks[rows] for _, ranks, rows in kinds])
    return grown
