"""The operator's block list is obeyed while the house is open."""

import time

from hubbub.config import Config
from hubbub.index import Query
from hubbub.posts import ConsentEvent, Post
from hubbub.server.house import House


def test_a_change_of_the_list_hides_and_shows_at_once(tmp_path, caplog):
    path = tmp_path / "blocked"
    path.write_text("")
    config = Config(data=str(tmp_path / "data"), blocked=str(path), embedder="none")
    with House(config, is_writer=True) as house:
        house.archive.append([Post(id="x:1", author="x:loud", text="buy my boat", received_us=1)])
        wait_until(lambda: house.index.search(Query(text="boat")))
        with house.subscribe() as told:
            path.write_text("x:loud\n")
            wait_until(lambda: not house.index.search(Query(text="boat")))
            wait_until(lambda: any(isinstance(event, ConsentEvent) for event in told.get(1)))
            path.write_bytes(b"\xff\xfe")
            wait_until(lambda: "mend the setting" in caplog.text)
            assert not house.index.search(Query(text="boat"))
            path.write_text("# nobody any more\n")
            wait_until(lambda: house.index.search(Query(text="boat")))


def wait_until(is_so, timeout_s=20):
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.02)
