"""The layout search: how long it takes, and how good its choice is on measured sweeps of layouts.

`python -m benchmarks.plan_layouts` needs nothing but the shipped runs. A sweep is a set of published runs
that differ only in layout; regret is how much slower the layout that would be chosen was measured than the
best one measured, tau is Kendall's over all pairs. A layout measured more than once counts with its median.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import show
from hubbub.plan.fit import Sample
from hubbub.plan.hardware import find_cluster
from hubbub.plan.layouts import search
from hubbub.plan.models import find_model
from hubbub.plan.runs import PublishedRun, read_runs, scoreable
from hubbub.plan.stacks import shipped
from hubbub.plan.validate import cross_predict

# Model, cluster, GPUs, sequences a step, what Calculon took here in seconds (planning note: 35 CPU-minutes).
SEARCHES = (
    ("gpt3-175b", "h100", 4096, 1536, 2100.0),
    ("llama3-405b", "h100", 16_384, 2048, None),
    ("llama3-405b", "colossus", 100_000, 2048, None),
    ("deepseek-v3", "colossus", 100_000, 15_360, None),
)
# Calculon's regret and tau on the whole sweeps, of which a third of the rows is not here (planning note).
CALCULON = {
    "gpt-h12288-L96": (0.6, 0.66),
    "gpt-h8192-L48": (0.0, 0.35),
    "gpt-h6144-L40": (4.5, 0.50),
    "gpt-h3072-L30": (0.0, 0.90),
    "bloom-181b-h14336-L72-a64": (8.3, 0.47),
    "bloom-181b-h14336-L72-a64 batch 2016": (10.9, None),
    "bloom-182b-h13312-L84-a64": (0.0, None),
    "bloom-182b-h13824-L78-a64": (7.9, None),
}


def speeds() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for model, cluster, gpus, batch, calculon_s in SEARCHES:
        started_s = time.process_time()
        found = search(find_model(model), find_cluster(cluster), gpus, global_batch=batch)
        took_s = time.process_time() - started_s
        best = found.ranked[0]
        rows.append(
            {
                "search": f"{model} on {gpus:,} {cluster}",
                "layouts": found.num_tried,
                "fit": found.num_fit,
                "CPU s": round(took_s, 2),
                "Calculon CPU s": calculon_s or "-",
                "best": best.name,
                "step s": round(best.prediction.step_s.mid, 3),
                "idle GPUs": best.num_idle,
            }
        )
    return rows


def sweeps(runs: Sequence[PublishedRun]) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each sweep: four or more, in three or more layouts."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for row, published in enumerate(runs):
        run = published.run
        assert run is not None
        where = (run.cluster.gpu.name, run.layout.num_gpus, run.precision, run.seq_len, run.stack)
        groups[(run.model.name, run.global_batch, *where)].append(row)
    out: dict[str, NDArray[np.intp]] = {}
    for key, rows in sorted(groups.items(), key=lambda item: -len(item[1])):
        layouts = {runs[row].run.layout for row in rows}  # type: ignore[union-attr]
        if len(rows) >= 4 and len(layouts) >= 3:
            name = str(key[0])
            out[name if name not in out else f"{name} batch {key[1]}"] = np.array(rows)
    return out


def choice(
    runs: Sequence[PublishedRun], rows: NDArray[np.intp], predicted: NDArray[np.float64]
) -> tuple[float, float]:
    """Return regret in percent and Kendall's tau of what predictions choose."""
    times: dict[object, list[int]] = defaultdict(list)
    for row in rows:
        times[runs[row].run.layout].append(row)  # type: ignore[union-attr]
    measured = np.array([np.median([runs[row].step_s for row in same]) for same in times.values()])
    guessed = np.array([np.median(predicted[same]) for same in times.values()])
    first, second = np.triu_indices(len(measured), 1)
    agree = np.sign((measured[first] - measured[second]) * (guessed[first] - guessed[second]))
    return 100 * (measured[guessed.argmin()] / measured.min() - 1), float(agree.mean())


def choices() -> list[dict[str, object]]:
    sample = Sample(scoreable(read_runs()))
    shipped_s, crossed_s = sample.predict(shipped()), cross_predict(sample)
    rows: list[dict[str, object]] = []
    for name, members in sweeps(sample.runs).items():
        regret, tau = choice(sample.runs, members, shipped_s)
        crossed, crossed_tau = choice(sample.runs, members, crossed_s)
        calculon = CALCULON.get(name, (None, None))
        rows.append(
            {
                "sweep": name,
                "runs": len(members),
                "regret %": round(regret, 1),
                "tau": round(tau, 2),
                "cross-validated regret %": round(crossed, 1),
                "cross-validated tau": round(crossed_tau, 2),
                "Calculon regret %": "-" if calculon[0] is None else calculon[0],
                "Calculon tau": "-" if calculon[1] is None else calculon[1],
            }
        )
    for name, total in (("mean", np.mean), ("worst", np.max)):
        figures = {
            key: round(float(total([row[key] for row in rows])), 1)
            for key in rows[0]
            if "regret" in key and "Cal" not in key
        }  # type: ignore[arg-type]
        rows.append({**dict.fromkeys(rows[0], "-"), "sweep": name, **figures})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    wanted = parser.parse_args()
    show(speeds(), wanted.json)
    print()
    show(choices(), wanted.json)


if __name__ == "__main__":
    main()
