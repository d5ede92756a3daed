"""One of two groups is killed: the other goes on with the whole batch, and the one that returns heals."""

import json
import os
import signal
import time
from importlib.util import find_spec

import pytest

from hubbub.train.metrics import read_events, read_metrics
from hubbub.train.run import train
from tests.train.ranks import finish, settings_for, source, start

os.environ.setdefault("RUST_LOG", "warn")
pytestmark = pytest.mark.skipif(not find_spec("torchft"), reason="pip install 'hubbub[ft]'")


def test_a_killed_group_costs_a_step_and_heals(tmp_path):
    from hubbub.train.replicas import open_lighthouse

    train(settings_for(tmp_path / "alone", steps=80, save_every=100), source=source())
    asked = settings_for(tmp_path / "groups", steps=80, save_every=100, stall_s=60)
    lighthouse, url = open_lighthouse()

    def begin(number):
        told = {"HUBBUB_GROUP": str(number), "HUBBUB_LIGHTHOUSE": url, "GLOO_SOCKET_IFNAME": "lo"}
        return start(1, asked, **told)[0]

    groups = [begin(0), begin(1)]
    wait_for(tmp_path / "groups", 10)
    os.kill(groups[0].pid, signal.SIGKILL)
    back = begin(0)
    assert finish([back, groups[1]]) == [0, 0]
    lighthouse.shutdown()
    steps = read_metrics(tmp_path / "groups")
    assert [step.step for step in steps] == list(range(1, 81))
    alone = [step.loss for step in read_metrics(tmp_path / "alone")]
    assert [step.loss for step in steps] == pytest.approx(alone, rel=1e-4)
    assert sum(event.what == "repeated" for event in read_events(tmp_path / "groups")) <= 1
    meta = json.loads((tmp_path / "groups/checkpoints/step-00000080/meta.json").read_bytes())
    assert meta["batch"] == 80


def wait_for(directory, step):
    deadline = time.monotonic() + 60
    while not any(each.step >= step for each in read_metrics(directory)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
