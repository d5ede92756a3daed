"""The index built from a compacted archive is the one built from the whole: nothing that lives is erased."""

import random
from contextlib import closing

import pytest

from hubbub.index import Query, open_index
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Event, Post
from hubbub.stream import open_archive

IDS = [f"test://p{number}" for number in range(8)]
AUTHORS = ["test://a", "test://b", "test://c"]


def author_of(identity: str) -> str:
    return AUTHORS[IDS.index(identity) % len(AUTHORS)]


def version(identity: str, time_us: int) -> Post:
    text = f"the flood, version {time_us}"
    return Post(id=identity, author=author_of(identity), text=text, received_us=time_us)


def any_event(chance: random.Random, time_us: int) -> Event:
    identity, author = chance.choice(IDS), chance.choice(AUTHORS)
    kind = chance.choices(["post", "edit", "new id", "delete", "account", "consent"], [55, 8, 7, 10, 12, 8])[
        0
    ]
    if kind == "post":
        return version(identity, time_us)
    if kind == "edit":
        return Edit(post=version(identity, time_us), replaces=identity)
    if kind == "new id":
        old = chance.choice([other for other in IDS if author_of(other) == author_of(identity)])
        return Edit(post=version(identity, time_us), replaces=old)
    if kind == "delete":
        return Deletion(id=identity, received_us=time_us)
    if kind == "account":
        status = chance.choice(["removed", "suspended", "restored", "restored"])
        return AccountEvent(author=author, status=status, received_us=time_us)
    return ConsentEvent(author=author, scope="index", allow=chance.choice([False, None]), received_us=time_us)


def living(path, events) -> dict[str, str]:
    with closing(open_index(f"sqlite:{path}", embedder="none")) as index:
        index.fold(events)
        found = {hit.post.id: hit.post.text for hit in index.search(Query(text="flood", limit=50))}
        assert found == {identity: post.text for identity, post in index.fetch(IDS).items()}
        return found


@pytest.mark.parametrize("seed", range(12))
def test_folding_before_and_after_compaction_comes_to_the_same_end(tmp_path, seed):
    chance = random.Random(seed)
    events = [any_event(chance, time_us) for time_us in range(1000, 1000 + chance.randint(5, 25))]
    with open_archive(tmp_path / "archive") as archive:
        for event in events:
            archive.append([event])
            if chance.random() < 0.1:
                archive.compact(1)
        archive.compact(2)
        left = list(archive.read())
    assert living(tmp_path / "compacted", left) == living(tmp_path / "whole", enumerate(events, 1))
