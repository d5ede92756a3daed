"""A deletion that comes while a verb of `hubbub train` is at work reaches its next batch.

`lora` goes through the loop and the options of `sft`.
"""

import shutil
import threading
import time

import pytest

from hubbub.cli.main import run
from hubbub.corpus.shards import write_shards
from hubbub.posts import AccountEvent
from hubbub.stream import open_archive
from hubbub.train.metrics import read_metrics
from hubbub.train.rundir import read_run
from tests.corpus.made import documents, tokenizer
from tests.train.test_lessons import lesson, made

QUICK = ["--precision", "fp32"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A corpus, a model of it and lessons."""
    place = tmp_path_factory.mktemp("live")
    write_shards(documents(60), place / "corpus", tokenizer())
    command = ["train", str(place / "corpus"), str(place / "run"), "--depth", "1", "--steps", "1"]
    assert run([*command, "--batch-tokens", "256", *QUICK]) == 0
    made(place, [lesson(n, n + 1) for n in range(24)])
    return place


@pytest.mark.parametrize(
    ("verb", "trained"),
    [
        (["CORPUS", "OUT", "--depth", "1", "--steps", "9999", "--batch-tokens", "256"], "OUT"),
        (["sft", "RUN", "LESSONS", "OUT", "--corpus", "CORPUS", "--epochs", "9999"], "OUT"),
        (
            ["weeks", "CORPUS", "OUT", "--params", "50K", "--first-days", "0.0005", "--days", "0.0005"]
            + ["--epochs", "9999", "--seq", "64"],
            "OUT/week-00/trunk",
        ),
    ],
    ids=["run", "sft", "weeks"],
)
def test_when_all_is_deleted_no_batch_holds_anything(world, tmp_path, capsys, verb, trained):
    shutil.copytree(world / "corpus", tmp_path / "corpus")
    names = {"CORPUS": tmp_path / "corpus", "OUT": tmp_path / "out", "RUN": world / "run"}
    names["LESSONS"] = world / "lessons"
    place = {name: str(path) for name, path in names.items()}
    words = ["/".join(place.get(part, part) for part in word.split("/")) for word in verb]
    directory = tmp_path / "/".join({"OUT": "out"}.get(part, part) for part in trained.split("/"))
    with open_archive(tmp_path / "archive", "w") as archive:

        def delete():
            deadline = time.monotonic() + 60
            while not read_metrics(directory) and time.monotonic() < deadline:
                time.sleep(0.01)
            archive.append(
                [AccountEvent(author=f"did:{n}", status="removed", received_us=1) for n in range(7)]
            )

        thread = threading.Thread(target=delete)
        thread.start()
        assert run(["train", *words, *QUICK, "--archive", str(tmp_path / "archive")]) == 1
        thread.join()
    assert "held nothing that lives" in capsys.readouterr().err
    batch, mark = read_run(directory).history[-1]
    assert mark == 7
    assert batch >= 1
    assert read_metrics(directory)[-1].batch < batch
