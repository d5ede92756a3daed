"""`hubbub train` as a user types it: it trains, goes on, exports, and says what is wrong."""

import json
import shutil

import pytest

from hubbub.cli.main import run
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import write_shards
from hubbub.posts import Deletion
from hubbub.stream import open_archive
from tests.corpus.made import documents, tokenizer


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    directory = tmp_path_factory.mktemp("corpus")
    write_shards(documents(60), directory, tokenizer())
    return directory


def test_train_again_and_export(corpus, tmp_path, capsys):
    command = ["train", str(corpus), str(tmp_path / "run"), "--depth", "1", "--batch-tokens", "256"]
    assert run([*command, "--steps", "2", "--precision", "fp32"]) == 0
    told = capsys.readouterr()
    assert "step 2, loss" in told.out
    assert (tmp_path / "run" / "model" / "config.json").is_file()
    assert (tmp_path / "run" / "loss.html").is_file()
    assert run([*command, "--steps", "3", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.count('"kind":"step"') for line in lines].count(1) == 1


def test_a_spec_names_shape_batch_and_peak(corpus, tmp_path, capsys):
    spec = tmp_path / "run.toml"
    spec.write_text(SPEC)
    assert run(["train", str(corpus), str(tmp_path / "run"), "--spec", str(spec), "--steps", "1"]) == 0
    told = capsys.readouterr().err
    assert "steps of 256 tokens" in told
    assert "plan predicts" in told
    spec.write_text(SPEC.replace("tp = 1", "tp = 2"))
    assert run(["train", str(corpus), str(tmp_path / "other"), "--spec", str(spec)]) == 2
    assert "Megatron" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "--params 10M"),
        (["--params", "900B"], "out of reach"),
        (["--params", "10x"], "is not a size"),
        (["--depth", "1", "--precision", "int4"], "precision is 'int4'"),
        (["--depth", "1", "--tokens", "many"], "tokens is 'many'"),
        (["--depth", "1", "--start-from", "/nowhere"], "neither a run"),
        (["--depth", "1", "--nproc", "0"], "--nproc is 0"),
    ],
)
def test_misuse_is_told_with_a_remedy(corpus, tmp_path, capsys, flags, told):
    assert run(["train", str(corpus), str(tmp_path / "run"), *flags]) == 2
    assert told in capsys.readouterr().err


def test_no_corpus(tmp_path, capsys):
    assert run(["train", str(tmp_path / "none"), str(tmp_path / "run"), "--depth", "1"]) == 2
    assert "no corpus in" in capsys.readouterr().err


def test_deletions_of_an_archive_hold_from_the_first_batch(corpus, tmp_path):
    with open_archive(tmp_path / "archive", "w") as archive:
        archive.append([Deletion(id=f"at://p/{n}", received_us=1) for n in range(5)])
    shutil.copytree(corpus, tmp_path / "corpus")
    command = ["train", str(tmp_path / "corpus"), str(tmp_path / "run"), "--depth", "1", "--steps", "1"]
    assert run([*command, "--archive", str(tmp_path / "archive")]) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_bytes())["history"] == [[0, 5]]
    assert not len(open_corpus(tmp_path / "corpus").read(1))


SPEC = """
global_batch = 4
num_tokens = 1024.0
seq = 64
[model]
name = "tiny"
num_layers = 1
hidden = 64
num_heads = 2
num_kv_heads = 2
head_dim = 32
ffn = 128
vocab = 512
is_tied = true
[cluster]
name = "one"
nic_bytes_per_s = 50e9
[cluster.gpu]
name = "h200"
memory_bytes = 150e9
memory_bytes_per_s = 4.8e12
link_bytes_per_s = 450e9
tdp_w = 700.0
gemm = "h200_sxm"
[cluster.gpu.peak_flops]
bf16 = 989e12
[layout]
tp = 1
"""
