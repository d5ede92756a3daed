from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from hubbub.assistant.answer import Done, Found, Shown
from hubbub.errors import HubbubError, InvalidInput
from hubbub.server.app import create_app
from hubbub.server.remote import RemoteHouse
from hubbub.web.run import serve_in_thread
from tests.server.small_house import SmallHouse, flood
from tests.server.test_ask import QUESTION, BrokenHouse, SlowHouse, first_cited


def test_a_remote_answer_is_the_houses_own(house: SmallHouse, url: str) -> None:
    with RemoteHouse(url) as remote:
        events = list(remote.ask(QUESTION))
    own = list(house.ask(QUESTION))
    assert [e for e in events if isinstance(e, Found | Shown)] == [
        e for e in own if isinstance(e, Found | Shown)
    ]
    assert isinstance(events[-1], Done)


def test_news_that_a_terminal_cannot_show_is_passed_over(tmp_path: Path) -> None:
    house = SlowHouse(tmp_path)
    house.num_rounds = 1
    house.step_s = 0.2
    house.add(*flood())
    post, _ = first_cited(house, QUESTION)
    with serve_in_thread(create_app(house)) as url, RemoteHouse(url) as remote:
        events = []
        for event in remote.ask(QUESTION):
            events.append(event)
            if isinstance(event, Found):
                threading.Thread(target=house.delete, args=(post,)).start()
                time.sleep(0.1)
    assert isinstance(events[-1], Done)
    assert post not in {c.post for s in events[-1].answer.sentences for c in s.citations}
    house.close()


def test_refusals_and_failures_arrive_as_errors(house: SmallHouse, url: str, tmp_path: Path) -> None:
    with RemoteHouse(url) as remote:
        with pytest.raises(InvalidInput, match="at most 2,000"):
            list(remote.ask("x" * 2_001))
    broken = BrokenHouse(tmp_path / "broken")
    broken.add(*flood())
    with serve_in_thread(create_app(broken)) as url, RemoteHouse(url) as remote:
        with pytest.raises(HubbubError, match="does not answer"):
            list(remote.ask(QUESTION))
    broken.close()
    with pytest.raises(HubbubError, match="still running"):
        list(RemoteHouse(url).ask(QUESTION))
