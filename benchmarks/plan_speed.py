"""How fast runs are predicted: many layouts at once, one run with its checks, and cost by micro batches.

CPU time of one core (set OMP_NUM_THREADS=1). Calculon takes 3.0 ms a prediction on such a core (shared
planning note, section 1).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from hubbub.plan import find_cluster, find_model, predict, predict_layouts
from hubbub.plan.cases import Column
from hubbub.specs import Layout, RunSpec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000, help="layouts in the batch")
    parser.add_argument("--json", action="store_true", help="print JSON")
    flags = parser.parse_args()
    found = {name: measure(name, flags.count) for name in ("gpt3-175b", "llama3-405b", "deepseek-v3")}
    if flags.json:
        print(json.dumps(found))
        return
    print("| model | layouts a CPU second | one run, ms | the same with 100,000 micro batches, ms |")
    print("|---|---|---|---|")
    for name, row in found.items():
        print(f"| {name} | {row['layouts_per_s']:,.0f} | {row['one_ms']:.2f} | {row['many_ms']:.2f} |")


def measure(name: str, count: int) -> dict[str, float]:
    """Measure one model on H100."""
    run = a_run(name, 64)
    columns = layouts(count)
    predict_layouts(run, {key: values[:64] for key, values in columns.items()})
    size = 4096

    def sweep() -> None:
        for start in range(0, count, size):
            predict_layouts(run, {key: values[start : start + size] for key, values in columns.items()})

    predict(run)
    return {
        "layouts_per_s": count / best_s(sweep, 3),
        "one_ms": 1000 * best_s(lambda: predict(run), 20),
        "many_ms": 1000 * best_s(lambda: predict(a_run(name, 8 * 100_000)), 20),
    }


def a_run(name: str, batch: int) -> RunSpec:
    return RunSpec(
        model=find_model(name),
        cluster=find_cluster("h100"),
        layout=Layout(tp=8, pp=4, dp=8),
        global_batch=batch,
        precision="fp8",
    )


def layouts(count: int) -> dict[str, Column]:
    """Return random layouts, most of them possible."""
    draw = np.random.default_rng(0)
    choices = {
        "tp": (1, 2, 4, 8),
        "pp": (1, 2, 4, 8, 16),
        "vpp": (1, 2),
        "dp": (8, 16, 32, 64),
        "zero": (1, 3),
    }
    columns = {name: draw.choice(sizes, count).astype(np.float64) for name, sizes in choices.items()}
    return {**columns, "micro_batch": draw.integers(1, 5, count).astype(np.float64)}


def best_s(act: Callable[[], object], times: int) -> float:
    """Return the least CPU seconds of several tries."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        act()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
