from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from hubbub.cli.main import hubbub_command
from hubbub.fleet.launcher import Launcher
from hubbub.fleet.page.watch import Watch
from tests.fleet.page.halls import StillFleet, job, page_of, settled
from tests.fleet.page.test_pictures import SPEC


def events(url: str, num: int, timeout_s: float = 10.0) -> Iterator[tuple[str, dict]]:
    with httpx2.stream("GET", url + "/api/live", timeout=timeout_s, trust_env=False) as stream:
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])
                num -= 1
                if not num:
                    return


def test_a_viewer_is_told_everything_then_what_is_new_then_that_it_is_away_and_back() -> None:
    fleet = StillFleet(settled(SPEC, [job("a", "xai", 8, priority=20)]))
    with page_of(fleet) as url:
        told = events(url, 100)
        assert next(told)[0] == "fleet"
        name, news = next(told)
        assert name in ("fleet", "now") and news["frame"]["moment"]["held"] == {"xai": 8}
        fleet.is_away = True
        name, away = next(each for each in told if each[0] == "away")
        assert "connection refused" in away["error"] and away["since_s"] > 0
        assert httpx2.get(url + "/api/fleet", trust_env=False).json()["away"] == away
        fleet.is_away = False
        name, back = next(each for each in told if each[0] != "away")
        assert name == "fleet" and back["away"] is None
        fleet.answers.clear()  # it takes long to answer
        name, away = next(each for each in told if each[0] == "away")
        assert away["error"] == "it is still being asked"
        fleet.answers.set()
        assert next(told)[0] == "fleet"
        told.close()


def test_many_viewers_cost_one_look() -> None:
    fleet = StillFleet(settled(SPEC, []))
    watch = Watch(lambda: fleet)  # type: ignore[arg-type, return-value]
    watch.look()
    assert fleet.num_looks == 1
    assert watch._everything(1) is watch._everything(1)


def test_the_page_is_hardened_and_changes_nothing() -> None:
    with page_of(StillFleet(settled(SPEC, []))) as url:
        client = httpx2.Client(base_url=url, trust_env=False)
        for path in ("/", "/page/main.js", "/page/look.css", "/api/fleet", "/nothing"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff" and "server" not in headers
        assert client.post("/api/fleet", content=b"x" * 10).status_code == 413
        assert {client.request(kind, "/api/fleet").status_code for kind in ("POST", "PUT", "DELETE")} == {405}
        assert client.get("/api/fleet", headers={"Host": "evil.example"}).status_code == 403
        assert client.get("/api/fleet", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        assert client.get("/page/watch.py").status_code == 404
        client.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--host", "0.0.0.0"], "would let others on the network"), (["--on", "slurm:nowhere"], "no Slurm of")],
)
def test_it_listens_here_only_and_says_where_no_fleet_is(
    options: list[str], said: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(hubbub_command, ["fleet", "page", *options])
    assert done.exit_code and said in str(done.exception) + done.output


@pytest.mark.parametrize("kind", ["local", "slurm"])
def test_what_runs_on_a_real_engine_is_shown(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engine: Launcher = request.getfixturevalue(kind)
    name = engine.submit("xai", 4, ["sleep", "60"], name="shown", directory=tmp_path)
    try:
        watch = Watch(lambda: engine)
        end_s = time.monotonic() + 20
        while not (frame := watch.story()["frame"]) or not frame.running:
            watch.look()
            assert time.monotonic() < end_s
        assert [(each.job, each.name, each.gpus) for each in frame.running] == [(name, "shown", 4)]
        assert sum(frame.nodes["hall"][1::2]) == 3 and frame.moment.held == {"xai": 4}
        assert watch.away is None
    finally:
        engine.cancel(name)
