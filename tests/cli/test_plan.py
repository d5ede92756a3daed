import json

import pytest

from hubbub.cli.main import run
from hubbub.cli.plan_run import parse_count
from hubbub.errors import InvalidInput

FEW = ["--model", "llama3-8b", "--cluster", "h100", "--gpus", "64"]


def told(capsys, *arguments):
    code = run(["plan", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_run_is_told_with_bands(capsys):
    code, out, _ = told(
        capsys, "run", *FEW, "--tokens", "1T", "--tp", "2", "--batch", "128", "--precision", "fp8"
    )
    assert code == 0
    for word in ("step", "MFU", "memory", "goodput", "wall time", "MW", "kg CO2", "rented", "owned", "tp2"):
        assert word in out
    assert "(" in out.splitlines()[2]


def test_a_run_as_json_and_as_a_page(capsys, tmp_path):
    page = tmp_path / "run.html"
    code, out, _ = told(capsys, "run", *FEW, "--tokens", "300B", "--json", "--report", str(page))
    found = json.loads(out)
    assert code == 0
    assert found["prediction"]["step_s"]["low"] < found["prediction"]["step_s"]["high"]
    assert found["run"]["num_tokens"] == 3e11
    assert found["outlook"]["days"]["mid"] > 0
    assert page.read_text().startswith("<!doctype html>")


def test_all_gpus_are_paid_for_and_the_grid_is_the_clusters(capsys, tmp_path):
    place = tmp_path / "paris.toml"
    place.write_text('gpu = "h100"\nnic_gb_s = 400\nregion = "fra"\n')
    asked = [
        "run",
        "--model",
        "llama3-8b",
        "--cluster",
        str(place),
        "--batch",
        "64",
        "--tokens",
        "1T",
        "--json",
    ]
    ahead = {}
    for gpus in (64, 96):
        found = json.loads(
            told(capsys, *asked, "--gpus", str(gpus), "--dp", "64", "--tp", "1", "--pp", "1")[1]
        )
        ahead[gpus] = found["outlook"]
        assert found["prediction"]["num_gpus"] == 64
    num_spares = 8 * ahead[64]["goodput"]["spare_servers"]
    assert num_spares < 32
    paid = ahead[96]["rent_usd"]["mid"] / ahead[64]["rent_usd"]["mid"]
    assert paid == pytest.approx(96 / (64 + num_spares))
    assert ahead[64]["region"]["code"] == "fra"
    assert (
        json.loads(told(capsys, *asked, "--gpus", "64", "--region", "us-tn")[1])["outlook"]["region"]["code"]
        == "us-tn"
    )


def test_validation_as_json_has_the_promised_shape(capsys):
    code, out, _ = told(capsys, "validate", "--json")
    table = json.loads(out)
    promised = [
        "rows",
        "micro_mape_pct",
        "macro_mape_pct",
        "bias_pct",
        "p90_ape_pct",
        "band_coverage_pct",
        "groups",
    ]
    assert code == 0
    assert list(table)[:7] == promised
    assert table["groups"]["mlperf-gpt3"]["rows"] == 9


def test_validation_as_a_table_lists_what_it_cannot_score(capsys):
    code, out, err = told(capsys, "validate")
    assert code == 0
    assert "micro" in out and "anchor ok" in out
    assert "not scored: 12 rows of nvidia-megatron-bridge: layers is not published" in err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["models"], "deepseek-v3"),
        (["clusters"], "gb300"),
        (["show", "h100"], "SuperPOD"),
        (["show", "h100"], "\ngpu.memory_bytes        85.9G\n"),
        (["show", "h100-96-500w"], "HBM2e"),
        (["show", "stacks"], "2026-08-01"),
        (["show", "llama3-405b"], "flops_per_token"),
        (["show", "bridge-26.08"], "hides_experts"),
    ],
)
def test_what_is_known_is_shown(capsys, arguments, word):
    code, out, _ = told(capsys, *arguments)
    assert code == 0 and word in out
    code, out, _ = told(capsys, *arguments, "--json")
    assert code == 0 and all(json.loads(line) for line in out.splitlines())


def test_a_calibration_goes_into_a_run(capsys, tmp_path):
    from hubbub.plan.hardware import read_data

    lines = read_data("runs.csv").splitlines()
    own = tmp_path / "mine.csv"
    own.write_text("\n".join([lines[0], *(line for line in lines if ",nemotron4-15b," in line)][:3]))
    saved = tmp_path / "own.json"
    code, out, _ = told(capsys, "calibrate", "--from", str(own), "--out", str(saved))
    assert code == 0 and "2 measured steps" in out
    code, out, _ = told(capsys, "run", *FEW, "--calibration", str(saved))
    assert code == 0 and "step" in out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run", "--model", "llama4", "--cluster", "h100", "--gpus", "8"], "the nearest is"),
        (["run", "--model", "llama3-8b", "--cluster", "h101", "--gpus", "8"], "the nearest is 'h100'"),
        (["run", *FEW, "--tokens", "0"], "tokens is '0'"),
        (["run", *FEW, "--tp", "7"], "tp is 7"),
        (["run", *FEW, "--tokens", "1T", "--power-cap-mw", "0.01"], "MW"),
        (["run", *FEW, "--tokens", "1T", "--power-cap-mw", "0"], "power_cap_mw is 0"),
        (["run", "--model", "llama3-405b", "--cluster", "h100", "--gpus", "8"], "no layout"),
        (["run", "--model", "llama3-8b", "--cluster", "h800", "--gpus", "4096"], "the most is 2048"),
        (["validate", "--runs", "nowhere.csv"], "cannot be read"),
        (["show", "h1000"], "the nearest is 'h100'"),
        (["calibrate", "--from", "nowhere.csv"], "cannot be read"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, arguments, word):
    code, out, err = told(capsys, *arguments)
    assert (code, out) == (2, "")
    assert word in err and len(err.splitlines()) == 1


def test_counts():
    assert parse_count("15.6T") == 15.6e12
    assert parse_count("300b") == 3e11
    assert parse_count("2e12") == 2e12
    for text in ("", "many", "-1T", "nan", "1e99"):
        with pytest.raises(InvalidInput, match="15.6T"):
            parse_count(text)
