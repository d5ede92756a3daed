"""How wrong predictions of training runs are: the issue's bars, beside what other tools reach on these rows.

Peers' figures are those of the comparison run for this project (shared planning note, section 3; Calculon and
llm-analysis were run there on the same rows, SimuMax's are its own). `--fit` fits the constants and the folds
again and writes the data files that ship.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

import msgspec
import numpy as np

import hubbub.plan
from hubbub.plan.calibrate import calibrated_errors
from hubbub.plan.fit import NUM_FOLDS, Sample, fit
from hubbub.plan.runs import read_runs, scoreable
from hubbub.plan.stacks import Fitted
from hubbub.plan.validate import Validation, cross_predict, validate

DATA = Path(hubbub.plan.__file__).parent / "data"
SCALES = "# What each family of releases takes beside the model: fitted medians, pulled to 1.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit again and write hubbub/plan/data (minutes)")
    parser.add_argument("--refit", action="store_true", help="fit the folds again, write nothing (minutes)")
    parser.add_argument("--json", action="store_true", help="print the whole validation as JSON")
    flags = parser.parse_args()
    if flags.fit:
        refit()
    table = validate(refit=flags.refit)
    if flags.json:
        print(msgspec.json.encode(table).decode())
        return
    print("| what | best known | bar | ours |\n|---|---|---|---|")
    for row in rows(table):
        print("| " + " | ".join(row) + " |")


def rows(table: Validation) -> list[tuple[str, str, str, str]]:
    """Return the issue's bars, one a row."""
    sample = Sample(scoreable(read_runs()))
    after = calibrated_errors(sample.runs, sample.measured, cross_predict(sample))
    dense, native, moe = (
        table.sets[name]
        for name in ("dense Megatron / NeMo / MLPerf", "native to Calculon", "mixture of experts")
    )
    memory = {each.group: each for each in table.memory}
    return [
        (
            f"all {table.rows} scoreable rows, micro / macro",
            "roofline with measured curves 12.8 / 17.6 %, in sample",
            "12 / 15 %",
            f"{table.micro_mape_pct:.1f} / {table.macro_mape_pct:.1f} %, cross-validated",
        ),
        ("bias; 90th percentile", "", "+-5; 25 %", f"{table.bias_pct:+.1f}; {table.p90_ape_pct:.1f} %"),
        (f"dense Megatron / NeMo / MLPerf, {dense.rows} rows", "6 to 16 %", "7 %", f"{dense.mape_pct:.1f} %"),
        (f"native to Calculon, {native.rows} rows", "Calculon 21.9 %", "10 %", f"{native.mape_pct:.1f} %"),
        (f"mixture of experts, {moe.rows} rows", "17 %", "15 %", f"{moe.mape_pct:.1f} %"),
        (
            f"calibrated at the smallest scale, {len(after)} larger",
            "4.3 %",
            "4 %",
            f"{100 * np.mean(np.abs(after)):.1f} %",
        ),
        ("80% band: rows inside", "nobody has one", "75 to 88 %", f"{table.band_coverage_pct:.1f} %"),
        (
            "memory: SimuMax / torchtitan rows",
            "0.46 (SimuMax's own) / 33 %",
            "5 / 10 %",
            f"{memory['simumax-b200'].mape_pct:.1f} / {memory['torchtitan'].mape_pct:.1f} %",
        ),
        *(
            (
                f"anchor: {a.name}",
                "",
                f"{a.published:g} {a.unit} +-{a.within_pct:g} %",
                f"{a.predicted:.3g} ({100 * (a.predicted / a.published - 1):+.1f} %)",
            )
            for a in table.anchors
        ),
    ]


def refit() -> None:
    """Fit the constants on all rows and on all but each fold, and write the shipped data files."""
    sample = Sample(scoreable(read_runs()))
    folds = sample.folds()
    whole = rounded(fit(sample, np.ones(len(folds), dtype=np.bool_)))
    fits = [rounded(fit(sample, folds != i)) for i in range(NUM_FOLDS)]
    text = (DATA / "constants.toml").read_text()
    for name, value in whole.constants.items():
        text = re.sub(rf"(\[{name}\]\nvalue = )\S+", rf"\g<1>{value:g}", text)
    (DATA / "constants.toml").write_text(text)
    lines = [f"{name} = {scale:g}\n" for name, scale in sorted(whole.scales.items())]
    (DATA / "scales.toml").write_text(SCALES + "".join(lines))
    (DATA / "folds.json").write_bytes(msgspec.json.format(msgspec.json.encode(fits), indent=1) + b"\n")
    predicted = np.zeros_like(sample.measured)
    for i, fitted in enumerate(fits):
        predicted[folds == i] = sample.predict(fitted)[folds == i]
    with (DATA / "residuals.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "log_error"])
        logs = np.log(sample.measured / predicted)
        writer.writerows([run.id, f"{log:.4f}"] for run, log in zip(sample.runs, logs, strict=True))


def rounded(fitted: Fitted) -> Fitted:
    """Return a fit to four digits, as it is written."""
    constants = {k: float(f"{v:.4g}") for k, v in fitted.constants.items()}
    scales = {k: float(f"{v:.4g}") for k, v in fitted.scales.items()}
    return Fitted(constants=constants, scales=scales)


if __name__ == "__main__":
    main()
