"""A run goes on to the bit after kill -9, to five digits over other ranks, and refuses what is not it."""

import json
import math
import os
import shutil
import signal
import time

import msgspec
import numpy as np
import pytest
import torch

from hubbub.errors import Corruption, HubbubError, InUse, InvalidInput, StorageError
from hubbub.model.llama import Llama
from hubbub.train.checkpoints import Checkpoints, Meta
from hubbub.train.launch import free_port
from hubbub.train.loop import Trainer
from hubbub.train.metrics import read_events, read_metrics
from hubbub.train.optim import Optimizers
from hubbub.train.parallel import Ranks
from hubbub.train.run import load_run, train
from tests.train.conftest import TINY, PlainCorpus, counting
from tests.train.ranks import die, finish, settings_for, source, start


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of one rank from end to end."""
    directory = tmp_path_factory.mktemp("runs") / "whole"
    train(settings_for(directory), source=source())
    return directory


def losses(directory):
    return {step.step: step.loss for step in read_metrics(directory)}


def cut_back(whole, directory, step):
    """Copy a run as it was at a step."""
    late = [f"step-{number:08d}" for number in range(step + 1, 100)]
    shutil.copytree(whole, directory, ignore=shutil.ignore_patterns(*late))
    return directory


def test_it_learns_and_says_so(whole):
    found = losses(whole)
    assert list(found) == list(range(1, 13))
    assert found[12] < found[1] - 0.5
    assert sorted(path.name for path in (whole / "checkpoints").iterdir()) == [
        f"step-{step:08d}" for step in (4, 8, 12)
    ]
    model, meta = load_run(whole)
    assert (meta.step, meta.shape) == (12, TINY)
    assert sum(p.numel() for p in model.parameters()) == TINY.num_params


def test_after_kill_9_the_losses_are_equal_to_the_bit(whole, tmp_path):
    directory = tmp_path / "killed"
    (process,) = start(1, settings_for(directory))
    deadline = time.monotonic() + 60
    while not any(step.step >= 6 for step in read_metrics(directory)) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert finish([process]) == [-signal.SIGKILL]
    train(settings_for(directory), source=source())
    assert losses(directory) == losses(whole)


def test_two_ranks_one_of_them_killed_go_on_as_one_with_the_same_losses(whole, tmp_path):
    asked = settings_for(tmp_path / "killed")
    codes = finish(start(2, asked, target=die))
    assert codes[1] == -signal.SIGKILL
    assert codes[0] != 0  # it could only have waited for the other
    train(asked, source=source())
    told = [event.text for event in read_events(tmp_path / "killed") if event.what == "start"]
    assert told[0] == "12 steps to go"
    assert told[1] in ("8 steps to go", "4 steps to go")  # the second checkpoint may not have been whole
    assert losses(tmp_path / "killed") == pytest.approx(losses(whole), rel=1e-5)


def test_resuming_on_other_ranks_gives_the_same_losses_to_five_digits(whole, tmp_path):
    two = cut_back(whole, tmp_path / "two", 4)
    assert finish(start(2, settings_for(two))) == [0, 0]  # 1 -> 2
    four = cut_back(two, tmp_path / "four", 8)
    assert finish(start(4, settings_for(four, shard=2))) == [0] * 4  # 2 -> 4, as 2 copies of 2
    for directory in (two, four):
        assert len([e for e in read_events(directory) if e.what == "start"]) >= 2
        assert losses(directory) == pytest.approx(losses(whole), rel=1e-5)


def test_muon_on_two_ranks_is_muon_on_one(tmp_path):
    asked = settings_for(tmp_path / "one", optimizer="muon", steps=3, rate=1e-3)
    train(asked, source=source())
    two = msgspec.structs.replace(asked, run_dir=str(tmp_path / "two"))
    assert finish(start(2, two)) == [0, 0]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)


def test_a_rank_that_never_comes_up_is_named(tmp_path, monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "3", "MASTER_PORT": str(free_port())}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(HubbubError, match="rank 1, 2 of 3 did not come up within 0.3 s"):
        train(settings_for(tmp_path, join_s=0.3), source=source())


def test_a_request_to_leave_saves_first(whole, tmp_path):
    directory = tmp_path / "left"
    processes = start(2, settings_for(directory, steps=4000))
    deadline = time.monotonic() + 60
    while len(read_metrics(directory)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(processes[1].pid, signal.SIGTERM)  # one is enough: all leave at the same step
    codes = finish(processes)
    assert codes == [0, -signal.SIGTERM]
    last = read_metrics(directory)[-1].step
    assert load_run(directory)[1].step == last
    assert read_events(directory)[-1].what == "stopped"


def test_a_run_that_ends_before_its_first_step_goes_on_from_nothing(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "do_step", lambda trainer: True)  # all groups lost, or asked to leave
        assert not train(settings_for(tmp_path), source=source()).is_finished
    (tmp_path / "metrics.ndjson").write_bytes(b'{"kind": "st')  # and killed within a line
    assert train(settings_for(tmp_path), source=source()).is_finished
    assert losses(tmp_path) == losses(whole)


def test_two_trainers_in_one_directory(tmp_path):
    from hubbub.train.rundir import RunLock

    lock = RunLock(tmp_path)
    with pytest.raises(InUse, match=f"process {os.getpid()} is training"):
        train(settings_for(tmp_path), source=source())
    lock.release()


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"shape": msgspec.structs.replace(TINY, hidden=64)}, InvalidInput, "another shape"),
        ({"shape": msgspec.structs.replace(TINY, vocab=128)}, InvalidInput, "vocabulary 64"),
        ({"seed": 1}, InvalidInput, "another seed"),
        ({"batch_tokens": 1024}, InvalidInput, "another tokens a batch"),
        ({"optimizer": "muon"}, InvalidInput, "another optimizer"),
    ],
)
def test_another_run_is_refused_with_file_and_remedy(whole, changes, kind, told):
    with pytest.raises(kind, match=told) as caught:
        train(settings_for(whole, **changes), source=source())
    assert "run.json" in str(caught.value)
    assert "another directory" in str(caught.value)


def test_another_corpus_is_refused(whole):
    with pytest.raises(InvalidInput, match="another corpus"):
        train(settings_for(whole), source=source(documents=100))


def test_a_flipped_bit_is_named_and_the_checkpoint_before_loads(whole, tmp_path):
    directory = tmp_path / "flipped"
    shutil.copytree(whole, directory)
    path = directory / "checkpoints" / "step-00000012" / "__0_0.distcp"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corruption, match="__0_0.distcp.*remove"):
        train(settings_for(directory), source=source())
    assert load_run(directory, 8)[1].step == 8


def test_a_full_disk_in_the_middle_of_a_checkpoint(whole, mount):
    disk, mounted = mount
    mounted("size=2m")
    directory = disk / "run"
    cut_back(whole, directory, 4)
    (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - 100_000))
    with pytest.raises(StorageError, match="the last good one is step-00000004"):
        train(settings_for(directory), source=source())
    assert load_run(directory)[1].step == 4
    (disk / "filler").unlink()
    train(settings_for(directory), source=source())
    assert losses(directory) == losses(whole)


class Flipped(Llama):
    """A model one of whose weights is no number from its tenth batch on, as after a fault of memory."""

    num_calls = 0

    def forward(self, *args, **kwargs):
        self.num_calls += self.training
        if self.num_calls == 10:
            self.model.norm.weight.data[0] = float("nan")
        return super().forward(*args, **kwargs)


def test_weights_that_have_gone_bad_are_loaded_again_and_their_batches_left_out(tmp_path):
    train(settings_for(tmp_path, micro_tokens=4096), source=source(), model=Flipped(TINY))
    steps = read_metrics(tmp_path)
    assert [step.step for step in steps] == list(range(1, 13))
    assert all(math.isfinite(step.loss) for step in steps)
    assert [step.batch for step in steps] == [*range(9), 12, 13, 14]
    what = [event.what for event in read_events(tmp_path)]
    assert what.count("skipped") == 3
    assert what.count("rollback") == 1
    assert load_run(tmp_path)[1].skipped == [9, 10, 11]


def test_what_is_saved_is_what_stood_there_although_weights_change_after(tmp_path):
    model = Llama(msgspec.structs.replace(TINY, hidden=512, ffn=4096))
    optim = Optimizers(model, "adamw", 1e-3, 0.1)
    checkpoints = Checkpoints(tmp_path, Ranks(), model, optim, keep=1)
    meta = Meta(
        step=1, batch=1, loss=1.0, history=[], skipped=[], source_id="", deletion_mark=0, shape=model.shape,
        optimizer="adamw", batch_tokens=1, seed=0,
    )  # fmt: skip
    for step in (1, 2):  # into new memory, and into the same again
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        checkpoints.save(msgspec.structs.replace(meta, step=step))
        assert checkpoints.settle()
        assert not checkpoints.settle()
        with torch.no_grad():
            torch._foreach_add_(list(model.parameters()), 1.0)
        checkpoints.wait()
        saved = load_run(tmp_path)[0].state_dict()
        assert all(torch.equal(saved[name], weight) for name, weight in before.items())
    checkpoints.close()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000002"]


class Strange(Llama):
    """A model whose loss is no number on rows that hold token 63."""

    def forward(self, ids, *args, **kwargs):
        loss = super().forward(ids, *args, **kwargs)
        return loss * float("nan") if (ids == 63).any() else loss


def test_one_bad_batch_is_left_out_without_going_back(tmp_path):
    documents = [*counting(200), np.array([1, 63, 63, 2])]
    from hubbub.train.source import CorpusSource

    rows = CorpusSource(PlainCorpus(documents), seed=0, batch_tokens=512)
    bad = next(number for number in range(99) if 200 in rows.plan(number)[0])
    train(settings_for(tmp_path, steps=bad + 3), source=rows, model=Strange(TINY))
    assert [step.batch for step in read_metrics(tmp_path)] == [*range(bad), *range(bad + 1, bad + 4)]
    assert load_run(tmp_path)[1].skipped == [bad]


def test_nothing_that_lives(tmp_path):
    corpus = PlainCorpus(counting(3))
    from hubbub.train.source import CorpusSource

    rows = CorpusSource(corpus, seed=0, batch_tokens=512)
    for document in range(3):
        corpus.delete(document)
    with pytest.raises(HubbubError, match="nothing that lives"):
        train(settings_for(tmp_path), source=rows)
    assert json.loads((tmp_path / "run.json").read_bytes())["history"] == [[0, 3]]
