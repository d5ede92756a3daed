import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from hubbub.errors import InvalidInput
from hubbub.plan.bands import log_band, residuals
from hubbub.plan.calibrate import calibrate, calibrated_errors, read_calibration, write_calibration
from hubbub.plan.fit import NUM_FOLDS, Sample, fit_scales
from hubbub.plan.hardware import read_data
from hubbub.plan.predict import predict
from hubbub.plan.runs import read_runs, scoreable
from hubbub.plan.stacks import Fitted, shipped, stack_of, stacks
from hubbub.plan.validate import cross_predict, fold_fits, validate

SHARED = Path(__file__).parents[2] / "../shared/data/plan/runs.csv"


@pytest.fixture(scope="module")
def sample():
    return Sample(scoreable(read_runs()))


@pytest.fixture(scope="module")
def table():
    return validate()


def rows_of_runs():
    return list(csv.DictReader(io.StringIO(read_data("runs.csv"))))


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def test_the_bars_of_cross_validation_are_held(table):
    assert table.rows >= 560
    assert table.micro_mape_pct <= 12 and table.macro_mape_pct <= 15
    assert abs(table.bias_pct) <= 5 and table.p90_ape_pct <= 25
    assert 75 <= table.band_coverage_pct <= 88
    assert table.sets["native to Calculon"].mape_pct <= 10
    memory = {each.group: each.mape_pct for each in table.memory}
    assert memory["simumax-b200"] <= 5 and memory["torchtitan"] <= 10


def test_no_row_is_left_out_in_silence(table):
    assert table.rows + len(table.unscored) == len(rows_of_runs())
    assert all(row.reason for row in table.unscored)
    assert sum(group.rows for group in table.groups.values()) == table.rows


def test_no_fold_sees_its_own_clusters(sample):
    folds = sample.folds()
    assert len(fold_fits()) == NUM_FOLDS
    for cluster in set(sample.clusters):
        assert len(set(folds[sample.clusters == cluster])) == 1
    # Each fold's scales are those that a fit without its rows gives: nothing of it leaked in.
    fitted = fold_fits()[0]
    bare = Fitted(constants=fitted.constants, scales={})
    logs = np.log(sample.measured / sample.predict(bare))
    assert fit_scales(sample, logs, folds != 0) == pytest.approx(fitted.scales, rel=0.002)


def test_the_shipped_residuals_are_those_of_cross_validation(sample):
    logs = np.log(sample.measured / cross_predict(sample))
    known = dict(zip(residuals().ids, residuals().logs, strict=True))
    assert [known[run.id] for run in sample.runs] == pytest.approx(list(logs), abs=2e-3)


def test_anchors_are_lines_with_a_source(table):
    assert len(table.anchors) == 6
    assert all(anchor.source for anchor in table.anchors)
    assert {anchor.name.split(",")[0] for anchor in table.anchors if anchor.is_met} >= {
        "Llama 3 405B",
        "MTTF at 16",
        "MTTF at 131",
    }


def test_another_file_is_scored_with_the_shipped_constants(tmp_path, sample):
    rows = [row for row in rows_of_runs() if row["group"] == "mlperf-llama405b"]
    bad = {**rows[0], "id": "X1", "tp": "", "step_s": "nan"}
    worse = {**rows[0], "id": "X2", "gpu": "V100"}
    sizes = [{**rows[0], "id": "X3", "cp": "0"}, {**rows[0], "id": "X4", "vpp": "0.5"}]
    sizes.append({**rows[0], "id": "X5", "heads": "1e300"})
    found = validate(write_rows(tmp_path / "other.csv", [*rows, bad, worse, *sizes]))
    assert found.rows == len(rows)
    assert [(each.id, each.reason[:20]) for each in found.unscored] == [
        ("X1", "step_s is 'nan'; it "),
        ("X2", "GPU 'V100' is not kn"),
        ("X3", "cp is '0'; it must b"),
        ("X4", "vpp is '0.5'; it mus"),
        ("X5", "heads is '1e300'; it"),
    ]
    picked = sample.groups == "mlperf-llama405b"
    errors = sample.predict(shipped())[picked] / sample.measured[picked] - 1
    assert found.micro_mape_pct == pytest.approx(100 * np.mean(np.abs(errors)))


def test_files_that_cannot_be_scored_are_told(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        validate(str(tmp_path / "none.csv"))
    (tmp_path / "a.csv").write_text("id,group\n1,x\n")
    with pytest.raises(InvalidInput, match="no column 'model'"):
        validate(str(tmp_path / "a.csv"))
    rows = [{**rows_of_runs()[0], "step_s": ""}]
    with pytest.raises(InvalidInput, match="step_s is not published"):
        validate(write_rows(tmp_path / "b.csv", rows))


def test_the_band_of_experts_is_wider_than_that_of_dense_models(sample):
    by_kind = {}
    for run in sample.runs:
        low, high = log_band(run.run)
        assert low < 0 < high
        by_kind.setdefault(run.run.model.num_experts > 0, []).append(high - low)
    assert np.mean(by_kind[True]) > 1.5 * np.mean(by_kind[False])


def test_calibration_pulls_to_ones_own_steps(tmp_path):
    rows = [
        row for row in rows_of_runs() if row["model"] == "nemotron4-15b" and row["group"] == "nvidia-dgxc"
    ]
    slow = [{**row, "step_s": str(1.5 * float(row["step_s"]))} for row in rows[:2]]
    own = calibrate(write_rows(tmp_path / "mine.csv", slow))
    path = str(tmp_path / "own.json")
    write_calibration(own, path)
    assert read_calibration(path) == own
    run = scoreable(read_runs(write_rows(tmp_path / "larger.csv", [rows[5]])))[0].run
    told = predict(run, scale=own.scale, step_band=own.band)
    assert told.step_s.mid == pytest.approx(1.5 * float(rows[5]["step_s"]), rel=0.05)
    plain = predict(run)
    width = told.step_s.high / told.step_s.low
    assert width < plain.step_s.high / plain.step_s.low


def test_calibration_at_the_smallest_scale_carries_to_larger_ones(sample):
    errors = calibrated_errors(sample.runs, sample.measured, cross_predict(sample))
    assert len(errors) > 100
    assert np.mean(np.abs(errors)) <= 0.05


def test_bad_calibrations_are_told(tmp_path):
    path = tmp_path / "own.json"
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_calibration(str(path))
    path.write_text(json.dumps({"scale": 0, "low_log": 0, "high_log": 0, "rows": 1, "what": ""}))
    with pytest.raises(InvalidInput, match="scale is 0"):
        read_calibration(str(path))
    with pytest.raises(InvalidInput, match="step_s is not published"):
        calibrate(write_rows(tmp_path / "c.csv", [{**rows_of_runs()[0], "step_s": ""}]))


def test_every_stack_is_dated_and_found_by_its_words():
    assert all(stack.date[:2] == "20" for stack in stacks().values())
    told = {"software": "Megatron-Bridge NeMo 26.08", "group": "nvidia-megatron-bridge"}
    assert stack_of(told).name == "bridge-26.08"
    assert stack_of({"software": "something new", "zero": "3"}).name == "fsdp-2024"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared")
def test_the_shipped_runs_are_the_collection():
    assert SHARED.read_text() == read_data("runs.csv")
