"""What real platforms sent, served again over real sockets to the real connectors; nothing is copied here."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from hubbub.stream import read_ndjson
from tests.platforms.jetstream import Entry, FakeJetstream, Faults
from tests.platforms.mastodon import FakeMastodon
from tests.stream.live.following import following

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "wire"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs the recordings of {SHARED}"),
]


def test_what_production_jetstream_served_arrives_with_cuts_and_repetition(tmp_path):
    lines = (SHARED / "bluesky" / "expected_v1.jsonl").read_bytes().splitlines()
    with FakeJetstream() as fake:
        for line in lines:
            event = json.loads(line)
            collection = event.get("commit", {}).get("collection", "")
            fake.log.append(
                Entry(
                    time_us=event["time_us"],
                    seq=len(fake.log) + 1,
                    did=event["did"],
                    kind=event["kind"],
                    collection=collection,
                    v1=line,
                    v2=b"",
                )
            )
        fake.plan.extend([Faults(cut_after=9), Faults(cut_after=25, rewind=7)])
        wanted = Counter(_name(event) for event in read_ndjson(lines, "jetstream"))
        with following(tmp_path, f"{fake.url}?cursor={fake.log[0].time_us}#wait=0.01") as followed:
            followed.wait_for(wanted.total())
            assert Counter(_name(event) for event in followed.events()) == wanted
            assert followed.counts.num_malformed == 0
        assert len(fake.seen) == 3


def _name(event):
    return type(event).__name__, getattr(event, "id", None) or event.author


@pytest.mark.parametrize("transport", ["", "#sse"])
def test_what_a_real_mastodon_server_streamed_arrives(tmp_path, transport):
    events, event = [], ""
    for line in gzip.open(SHARED / "mastodon" / "stream_recordings.ndjson.gz"):
        recording = json.loads(line)
        for row in recording["body"].split("\n") if "/streaming/" in recording["uri"] else ():
            if row.startswith("event: "):
                event = row.removeprefix("event: ")
            elif row.startswith("data: "):
                events.append((event, row.removeprefix("data: ")))
    # The recorded accounts do not allow indexing; here they do, so that what follows can be seen.
    events = [(event, payload.replace('"indexable":false', '"indexable":true')) for event, payload in events]
    kinds = Counter(event for event, _ in events)
    with FakeMastodon() as fake, following(tmp_path, fake.url + transport) as followed:
        followed.wait(lambda: followed.counts.vitals.state == "live" and fake.num_streams)
        for event, payload in events:
            fake._tell(event, payload)
        followed.wait(lambda: "Deletion" in [type(event).__name__ for event in followed.events()])
        assert followed.counts.num_malformed == 0
        found = Counter(type(event).__name__ for event in followed.events())
        assert found["Edit"] == kinds["status.update"] == 1
        assert found["Deletion"] == kinds["delete"] == 1
        assert followed.counts.vitals.notices["notification"] == kinds["notification"]
