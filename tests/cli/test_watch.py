"""`hubbub watch` beside a house that another process keeps, and alone."""

import json
import threading
import time

import pytest

from hubbub.cli.main import run
from hubbub.config import Config
from hubbub.posts import Deletion
from hubbub.server.app import create_app
from hubbub.server.house import House
from hubbub.server.remote import write_address
from hubbub.units import now_us
from hubbub.web.run import serve_in_thread
from tests.server.small_house import make_post

NEWS = (
    "The ferry Anneliese is on fire off Hollin.",
    "Fire on the ferry Anneliese near Hollin, smoke everywhere.",
)


def printed(capsys, until, so_far="") -> str:
    """What was printed until it holds `until`."""
    end_s = time.monotonic() + 20
    while until not in so_far:
        assert time.monotonic() < end_s, so_far
        time.sleep(0.05)
        out, err = capsys.readouterr()
        so_far += out + err
    return so_far


@pytest.mark.parametrize("is_json", [False, True])
def test_alerts_are_printed_as_they_come_and_withdrawn(tmp_path, capsys, is_json):
    data = str(tmp_path / "data")
    command = ["watch", "ferry", "--novelty", "low", "--data", data, *(["--json"] if is_json else [])]
    codes = []
    with House(Config(data=data, index="sqlite", embedder="none"), is_writer=True) as house:
        app = create_app(house)
        with serve_in_thread(app) as url:
            write_address(tmp_path / "data", url)
            thread = threading.Thread(target=lambda: codes.append(run(command)))
            thread.start()
            end_s = time.monotonic() + 20
            while not any(channel.is_learned for channel in app.state.alerts.channels()):
                assert time.monotonic() < end_s
                time.sleep(0.02)
            house.archive.append([make_post(n, text, received_us=now_us()) for n, text in enumerate(NEWS)])
            alert = printed(capsys, "Anneliese")
            house.archive.append([Deletion(id=make_post(n, "").id, received_us=1) for n in (0, 1)])
            rest = printed(capsys, "retraction" if is_json else "withdrawn")
        thread.join()
    assert codes == [1]
    lines = (alert + rest).splitlines()
    if is_json:
        kinds = [json.loads(line)["type"] for line in lines if line.startswith("{")]
        assert kinds == ["alert", "retraction"]
    else:
        assert any(line.startswith("[0] Two voices") for line in lines)


def test_alone_nothing_arrives_and_it_says_so(tmp_path, capsys):
    House(Config(data=str(tmp_path), index="sqlite", embedder="none"), is_writer=True).close()
    assert run(["watch", "ferry", "--data", str(tmp_path), "--index", "sqlite", "--embedder", "none"]) == 1
    assert "hubbub follow" in capsys.readouterr().err
