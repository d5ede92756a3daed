"""The whole path on one data directory: a post becomes a cited answer, a deletion takes it away."""

import os
import random
import signal
import subprocess
import sys
import time

import httpx2
import msgspec
import pytest

from hubbub.assistant.answer import Done, Retraction, Shown
from hubbub.config import Config
from hubbub.errors import InUse
from hubbub.posts import Deletion, Edit, Post
from hubbub.server.app import create_app
from hubbub.server.house import House
from hubbub.server.remote import RemoteHouse
from hubbub.units import now_us
from hubbub.web.run import serve_in_thread

BRIDGE = "The old bridge at Hollin is closed since four because of the flood, says the fire brigade."


def make_post(number, text, **fields):
    return Post(
        id=f"https://town.example/@a{number}/1",
        author=f"https://town.example/@a{number}",
        handle=f"a{number}",
        text=text,
        langs=("en",),
        received_us=now_us(),
        url=f"https://town.example/@a{number}/1",
        **fields,
    )


@pytest.fixture
def config(tmp_path):
    return Config(data=str(tmp_path / "data"))


@pytest.fixture
def house(config):
    with House(config, is_writer=True) as house:
        yield house


def tell(house, *events):
    house.archive.append(list(events))
    assert house.wait_until_folded(house.archive.last_seq, timeout_s=10)


def sentences(events):
    return [s for event in events if isinstance(event, Done) for s in event.answer.sentences]


def test_a_house_may_be_closed_twice(tmp_path):
    house = House(Config(data=str(tmp_path), index="sqlite", embedder="none"), is_writer=True)
    house.close()
    house.close()
    with House(Config(data=str(tmp_path), index="sqlite", embedder="none"), is_writer=True) as again:
        assert again.archive.last_seq == 0


def test_a_post_becomes_a_cited_answer_and_its_deletion_takes_it_away(house):
    post = make_post(1, BRIDGE)
    tell(house, post, make_post(2, "What a lovely cake we had at the bakery this morning."))
    cited = [c for s in sentences(house.ask("Is the bridge closed?")) for c in s.citations]
    assert {c.post for c in cited} == {post.id}
    assert all(c.quote == BRIDGE[c.start : c.end] and c.url == post.url for c in cited)

    tell(house, Deletion(id=post.id, received_us=now_us()))
    assert not [
        c for s in sentences(house.ask("Is the bridge closed?")) for c in s.citations if c.post == post.id
    ]
    assert not house.search("bridge", limit=5)
    assert house.index.fetch([post.id]) == {}
    tell(house, post)
    assert not house.search("bridge", limit=5), "a late copy must not bring a deleted post back"


def test_an_edit_replaces_the_text_everywhere(house):
    post = make_post(1, BRIDGE)
    tell(house, post)
    new = msgspec.structs.replace(post, text="The old bridge at Hollin is open again.", received_us=now_us())
    tell(house, Edit(post=new, replaces=post.id))
    assert [hit.post.text for hit in house.search("bridge", limit=5)] == [new.text]
    assert not house.search("brigade", limit=5)


def test_a_sentence_on_the_page_is_withdrawn_within_a_second_of_its_deletion(house):
    post = make_post(1, BRIDGE)
    tell(house, post)
    with serve_in_thread(create_app(house)) as url:
        with httpx2.stream(
            "GET", f"{url}/api/ask", params={"q": "bridge"}, timeout=10, trust_env=False
        ) as response:
            lines = (line for line in response.iter_lines() if line.startswith("data:"))
            decoder = msgspec.json.Decoder(dict)
            shown = retracted_s = deleted_s = None
            for line in lines:
                event = decoder.decode(line[5:])
                if event["type"] == "sentence":
                    shown = event["sentence"]["id"]
                elif event["type"] == "done":
                    deleted_s = time.monotonic()
                    house.archive.append([Deletion(id=post.id, received_us=now_us())])
                elif event["type"] == "retraction":
                    assert event["post"] == post.id
                    retracted_s = time.monotonic()
                    break
    assert shown is not None and retracted_s - deleted_s < 1.0


def test_another_process_is_refused_and_asks_over_http(house, config):
    tell(house, make_post(1, BRIDGE))
    with pytest.raises(InUse, match=str(os.getpid())):
        House(config)
    with serve_in_thread(create_app(house)) as url, RemoteHouse(url) as remote:
        assert [hit.post.text for hit in remote.search("bridge", limit=3)] == [BRIDGE]
        assert sentences(remote.ask("Is the bridge closed?"))


WRITER = """
import sys
import time
from hubbub.config import Config
from hubbub.posts import Deletion, Post
from hubbub.server.house import House
with House(Config(data=sys.argv[1], embedder="none"), is_writer=True) as house:
    number = int(sys.argv[2])
    while True:
        posts = [
            Post(id=f"p:{n}", author=f"a:{n % 7}", text=f"word{n} flood", received_us=1_000_000 * (n + 1))
            for n in range(number, number + 20)
        ]
        gone = [Deletion(id=f"p:{n}", received_us=1_000_000 * (n + 1)) for n in range(number, number + 20, 5)]
        house.archive.append([*posts, *gone])
        number += 20
        print(number, flush=True)
        time.sleep(0.02)
"""


def test_kill_9_loses_nothing_doubles_nothing_and_revives_nothing(config):
    rng = random.Random(3)
    acknowledged = 0
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, config.data, str(acknowledged)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        stop_s = time.monotonic() + 1.0 + rng.random()
        for line in writer.stdout:
            acknowledged = int(line)
            if time.monotonic() > stop_s:
                writer.send_signal(signal.SIGKILL)
        writer.stdout.close()
        writer.wait()
    with House(msgspec.structs.replace(config, embedder="none"), is_writer=True) as house:
        assert house.wait_until_folded(house.archive.last_seq, timeout_s=60)
        alive = house.index.fetch(f"p:{n}" for n in range(acknowledged))
        assert set(alive) == {f"p:{n}" for n in range(acknowledged) if n % 5}
        found = house.search("flood", limit=1000)
        assert len({hit.post.id for hit in found}) == len(found)
        assert not [hit for hit in found if int(hit.post.id[2:]) % 5 == 0]


def test_a_retraction_comes_when_a_post_dies_between_showing_and_the_end(house):
    posts = [make_post(n, f"{BRIDGE} Seen by witness number {n}.") for n in range(3)]
    tell(house, *posts)
    events = []
    for event in house.ask("What is happening at the bridge?"):
        events.append(event)
        if isinstance(event, Shown) and event.sentence.citations:
            tell(house, *(Deletion(id=c.post, received_us=now_us()) for c in event.sentence.citations))
    withdrawn = {event.sentence for event in events if isinstance(event, Retraction)}
    assert withdrawn
    assert not withdrawn & {s.id for s in sentences(events)}
