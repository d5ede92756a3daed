"""The invented day of `hubbub.sample` as a Jetstream, for a second terminal to follow.

python -m tests.platforms --port 7777 --speed 60
hubbub serve --follow ws://127.0.0.1:7777/subscribe
"""

from __future__ import annotations

import argparse
import hashlib
import time
from itertools import pairwise

from hubbub.posts import AccountEvent, Deletion, Edit, Event, Post
from hubbub.sample import sample_path
from hubbub.stream import Counts, read_ndjson
from tests.platforms.jetstream import POST, FakeJetstream


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=7777)
    parser.add_argument("--speed", type=float, default=60.0, help="so many times as fast as that day")
    options = parser.parse_args()
    with open(sample_path(), "rb") as lines:
        events = list(read_ndjson(lines, "hubbub", Counts()))
    with FakeJetstream(port=options.port) as fake:
        print(f"hubbub serve --follow {fake.url}", flush=True)
        while not fake.seen:
            time.sleep(0.05)
        for event, following in pairwise([*events, events[-1]]):
            tell(fake, event)
            time.sleep(max(0, following.received_us - event.received_us) / 1e6 / options.speed)
        print("The night is over; Ctrl-C ends it.", flush=True)
        fake.is_over.wait()


def tell(fake: FakeJetstream, event: Event) -> None:
    """Let it happen on the fake platform; what Jetstream has no word for is left out."""
    if isinstance(event, Post | Edit):
        post = event.post if isinstance(event, Edit) else event
        fields: dict[str, object] = {"langs": list(post.langs)}
        if post.reply_to:
            parent = {"uri": _uri(post.reply_to), "cid": "bafyinvented"}
            fields["reply"] = {"parent": parent, "root": parent | {"uri": _uri(post.root or post.reply_to)}}
        operation = "update" if isinstance(event, Edit) else "create"
        fake.post(_did(post.author), _key(post.id), post.text, operation, **fields)
    elif isinstance(event, Deletion):
        fake.delete(_did(_author(event.id)), _key(event.id))
    elif isinstance(event, AccountEvent):
        status = "deleted" if event.status == "removed" else event.status
        is_active = event.status == "restored"
        fake.account(_did(event.author), is_active, None if is_active else status)


def _uri(post_id: str) -> str:
    return f"at://{_did(_author(post_id))}/{POST}/{_key(post_id)}"


def _author(post_id: str) -> str:
    return post_id.rpartition("/")[0]


def _did(author: str) -> str:
    return "did:plc:" + hashlib.sha1(author.encode()).hexdigest()[:24]


def _key(post_id: str) -> str:
    return post_id.rpartition("/")[2]


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
