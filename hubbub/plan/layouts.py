"""Find the fastest layout of a model on a cluster that fits its memory, and say why the rest was refused.

Every legal layout (`candidates`) is timed by the one model of time, in chunks of columns; no layout is left
out by a guess. It knows no money and no failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from hubbub.errors import InvalidInput
from hubbub.plan.candidates import Candidates, Fixed, candidates
from hubbub.plan.cases import Column, cases_of_layouts
from hubbub.plan.check import check_run, refuse_gpus
from hubbub.plan.pictures import LayoutPoint
from hubbub.plan.predict import Prediction, fullest, predict
from hubbub.plan.stacks import find_stack, tuning_of
from hubbub.plan.step import step_time
from hubbub.plan.wording import tell_layout
from hubbub.specs import ClusterSpec, Layout, ModelSpec, RunSpec

# Columns of this many layouts stay in a core's cache while some hundred operations pass over them.
_CHUNK = 8192
# A near miss lacks at most this share of the memory there is.
_NEAR = 1.25
FIELDS = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "zero", "micro_batch", "recompute")
# Tokens of one step for each GPU, and the most: Llama 3 405B took 16M on 16,384 (arXiv 2407.21783, table 4).
_TOKENS_PER_GPU, _MOST_BATCH_TOKENS = 1024, 2**24


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One layout, what is predicted of it, and how many GPUs it leaves idle (as spares)."""

    name: str
    layout: Layout
    num_idle: int
    prediction: Prediction


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why layouts, or sizes of which layouts are made, were refused, and how many."""

    reason: str
    count: int


class LayoutSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found.

    `ranked` are the fastest that fit; `misses` the fastest of those that lack little memory (where nothing
    fits: that lack least); `points` are the fastest of each shape, for a picture; `notes` for the reader.
    """

    run: RunSpec
    num_gpus: int
    num_tried: int
    num_fit: int
    ranked: tuple[Found, ...]
    misses: tuple[Found, ...]
    refused: tuple[Refusal, ...]
    points: tuple[LayoutPoint, ...]
    notes: tuple[str, ...]


class Landscape(msgspec.Struct, kw_only=True):
    """Every layout tried: seconds of a step, bytes of the fullest stage, and what most of them are for."""

    step_s: Column
    memory_bytes: Column
    culprit: NDArray[np.intp]
    culprits: tuple[str, ...]


def search(
    model: ModelSpec,
    cluster: ClusterSpec,
    num_gpus: int,
    *,
    global_batch: int = 0,
    seq: int = 0,
    precision: str = "bf16",
    stack: str = "",
    attention: str = "flash",
    fixed: Fixed | None = None,
    top: int = 10,
) -> LayoutSearch:
    """Rank the legal layouts by predicted step time.

    `global_batch` in sequences (0: `default_batch`), `seq` in tokens (0: the model's), `fixed` the fields of
    Layout that must be so, as {"tp": 8}. Layouts may leave GPUs idle where the sizes do not divide.

    Raises:
        InvalidInput: a value cannot be; the message names the field, the value and the nearest that works.
    """
    _check(cluster, num_gpus, {"global_batch": global_batch, "seq": seq}, top)
    for field in fixed or {}:
        if field not in FIELDS:
            raise InvalidInput(f"fixed field {field!r} is not known; those that can be: {', '.join(FIELDS)}")
    run = RunSpec(
        model=model,
        cluster=cluster,
        layout=Layout(),
        global_batch=global_batch or default_batch(num_gpus, seq or model.seq),
        precision=precision,
        stack=find_stack(stack).name,
        seq=seq or model.seq,
        attention=attention,
    )
    check_run(run)
    found = candidates(run, num_gpus, fixed)
    if not found.count:
        told = ", ".join(f"{name} {value}" for name, value in (fixed or {}).items())
        raise InvalidInput(
            f"no legal layout on {num_gpus} GPUs has {told or 'this batch'}; leave one of them free"
        )
    return _ranked(run, num_gpus, found, top)


def _check(cluster: ClusterSpec, num_gpus: int, sizes: dict[str, int], top: int) -> None:
    for name, value in {"num_gpus": num_gpus, "top": top}.items():
        if value < 1:
            raise InvalidInput(f"{name} is {value}; it must be 1 or more")
    for name, value in sizes.items():
        if value < 0:
            raise InvalidInput(f"{name} is {value}; it must be 1 or more, or 0 for what is usual")
    for reason in refuse_gpus(cluster, num_gpus):
        raise InvalidInput(reason)


def default_batch(num_gpus: int, seq: int) -> int:
    """Return the usual sequences of a step: about 1,024 tokens a GPU as a power of 2, at most 16M."""
    tokens = min(_MOST_BATCH_TOKENS, _TOKENS_PER_GPU << (num_gpus - 1).bit_length())
    return max(1, tokens // seq)


def survey(run: RunSpec, found: Candidates) -> Landscape:
    """Time and weigh every candidate; some 2 us each."""
    tuning, stack = tuning_of([run]), find_stack(run.stack)
    parts = []
    for start in range(0, found.count, _CHUNK):
        cases = cases_of_layouts(run, found.cases(slice(start, start + _CHUNK)))
        parts.append((step_time(cases, tuning).total_s, *fullest(cases, stack)))
    step_s, memory, culprit = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Landscape(step_s=step_s, memory_bytes=memory, culprit=culprit, culprits=_CULPRITS)


_STAGES = ("the first stage", "the first stage of experts", "the last stage")
_PARTS = ("weights", "gradients", "optimizer states", "activations", "logits", "work space", "overhead")
_CULPRITS = tuple(f"{part} of {stage}" for stage in _STAGES for part in _PARTS)


def _ranked(run: RunSpec, num_gpus: int, found: Candidates, top: int) -> LayoutSearch:
    seen, capacity = survey(run, found), run.cluster.gpu.memory_bytes
    does_fit = seen.memory_bytes <= capacity
    order = np.lexsort((seen.memory_bytes, seen.step_s))
    fit = order[does_fit[order]]
    near = order[~does_fit[order] & (seen.memory_bytes[order] <= _NEAR * capacity)]
    near = near if len(fit) else np.argsort(seen.memory_bytes)
    ranked = _told(run, num_gpus, found, fit[:top])
    if ranked:
        run = msgspec.structs.replace(run, layout=ranked[0].layout)
    return LayoutSearch(
        run=run,
        num_gpus=num_gpus,
        num_tried=found.count,
        num_fit=len(fit),
        ranked=ranked,
        misses=_told(run, num_gpus, found, near[: min(top, 3)]),
        refused=_refusals(seen, does_fit, found),
        points=_points(found, seen, does_fit, order),
        notes=tuple(_notes(run, num_gpus, ranked, _told(run, num_gpus, found, _fullest_use(found, fit)))),
    )


def _told(run: RunSpec, num_gpus: int, found: Candidates, rows: NDArray[np.intp]) -> tuple[Found, ...]:
    layouts = [found.layout(int(row)) for row in rows]
    return tuple(
        Found(
            name=tell_layout(layout),
            layout=layout,
            num_idle=num_gpus - layout.num_gpus,
            prediction=predict(msgspec.structs.replace(run, layout=layout)),
        )
        for layout in layouts
    )


def _refusals(seen: Landscape, does_fit: NDArray[np.bool_], found: Candidates) -> tuple[Refusal, ...]:
    """Return the reasons, most frequent first: what memory lacks before what cannot be."""
    counts = np.bincount(seen.culprit[~does_fit], minlength=len(seen.culprits))
    large = Counter(
        {f"do not fit: {name}": int(n) for name, n in zip(seen.culprits, counts, strict=True) if n}
    )
    both = (*large.most_common(), *found.refused.most_common())
    return tuple(Refusal(reason=reason, count=count) for reason, count in both)


def _points(
    found: Candidates, seen: Landscape, does_fit: NDArray[np.bool_], order: NDArray[np.intp]
) -> tuple[LayoutPoint, ...]:
    """Return the fastest that fits and the fastest that does not of each TP, PP, CP and EP."""
    shape = np.zeros(found.count)
    for name in ("tp", "pp", "cp", "ep"):
        shape = shape * 1024 + found.columns[name]
    _, first = np.unique((shape * 2 + does_fit)[order], return_index=True)
    return tuple(
        LayoutPoint(
            name=tell_layout(found.layout(int(row))),
            step_s=float(seen.step_s[row]),
            memory_bytes=float(seen.memory_bytes[row]),
            is_fit=bool(does_fit[row]),
        )
        for row in order[np.sort(first)]
    )


def _fullest_use(found: Candidates, fit: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the fastest of those that leave the fewest GPUs idle, if there is one."""
    used = np.prod([found.columns[name][fit] for name in ("tp", "pp", "cp", "dp")], axis=0)
    return fit[used == used.max()][:1] if len(fit) else fit


def _notes(
    run: RunSpec, num_gpus: int, ranked: tuple[Found, ...], fullest: tuple[Found, ...]
) -> Iterable[str]:
    if not ranked:
        yield "nothing fits; more GPUs, a smaller seq, or a GPU with more memory would help"
        return
    best = ranked[0]
    if best.num_idle:
        yield f"{best.num_idle:,} of {num_gpus:,} GPUs stay idle: spares for those that fail"
        most_used = fullest[0]
        if most_used.num_idle < best.num_idle:
            step_s = most_used.prediction.step_s.mid
            yield f"the fewest idle are {most_used.num_idle:,}: {most_used.name}, {step_s:.4g} s a step"
        group = best.layout.num_gpus // best.layout.dp
        most = num_gpus // group
        batch = max(1, round(run.global_batch / most)) * most
        if best.num_idle >= group:
            yield f"the nearest batch that feeds {most * group:,} GPUs in this shape has {batch:,} sequences"
