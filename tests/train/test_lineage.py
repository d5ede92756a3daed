"""Who saw which post: told from order, marks and the log, it equals what the trainer really read."""

import random
import re

import msgspec
import pytest

from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.deletions import note_deletions
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import key_of, write_shards
from hubbub.errors import InvalidInput
from hubbub.model.llama import Llama
from hubbub.posts import Deletion
from hubbub.train.lessons import LessonSource, chatml, write_plan
from hubbub.train.lineage import identities, line, saw, stage, who_saw
from hubbub.train.recipe import TrainSettings
from hubbub.train.run import train
from hubbub.train.sft import lengthened
from hubbub.train.source import CorpusSource
from tests.corpus.made import documents, tokenizer
from tests.train.conftest import TINY
from tests.train.test_lessons import lesson, made

SHAPE = msgspec.structs.replace(TINY, vocab=tokenizer().vocab_size)
NUM_POSTS = 40
_POST = re.compile(r"post (\d+) ")


class Watched:
    """A source that remembers which posts were read when, and lets posts die between batches."""

    def __init__(self, source, deaths=None, directory=None):
        self.source, self.id, self.directory = source, source.id, directory
        self.deaths = dict(deaths or {})
        self.read: dict[int, int] = {}
        self.batch, self.seq = -1, 1000

    @property
    def deletion_mark(self):
        self.batch += 1
        for post in self.deaths.pop(self.batch, ()):
            self.seq += 1
            gone = Deletion(id=f"at://p/{post}", received_us=1)
            note_deletions(self.directory, [(self.seq, gone)], self.seq)
        return self.source.deletion_mark

    def plan(self, number):
        return self.source.plan(number)

    def row(self, key):
        row = self.source.row(key)
        for post in _POST.findall(tokenizer().decode(row.ids)):
            self.read.setdefault(int(post), self.batch)
        return row


def asked(place, name, **changes):
    told = {
        "corpus": str(place / "corpus"),
        "run_dir": str(place / name),
        "steps": 6,
        "batch_tokens": 60,
        "rate": 1e-3,
        "precision": "fp32",
        "save_every": 3,
        "seed": 5,
    }
    return TrainSettings(**(told | changes))


def trained(place, name, rows, **changes):
    train(asked(place, name, **changes), source=rows, model=Llama(lengthened(SHAPE, changes.get("seq", 1))))


@pytest.fixture
def place(tmp_path):
    write_shards(documents(NUM_POSTS // 2), tmp_path / "corpus", tokenizer(), shard_tokens=300)
    return tmp_path


def watched(place, deaths=None):
    corpus = open_corpus(place / "corpus")
    return Watched(CorpusSource(corpus, seed=5, batch_tokens=60), deaths, place / "corpus")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_told_is_what_was_read_whenever_posts_died(place, seed):
    rng = random.Random(seed)
    deaths: dict[int, list[int]] = {}
    for post in rng.sample(range(NUM_POSTS), 20):
        deaths.setdefault(rng.randrange(8), []).append(post)
    source = watched(place, deaths)
    trained(place, "run", source)
    if seed == 3:
        compact_corpus(place / "corpus")
    keys = {key_of(f"at://p/{post}"): post for post in range(NUM_POSTS)}
    found = {keys[key]: batch for key, batch in saw(stage(place / "run"), keys.keys()).items()}
    assert found == source.read and 0 < len(found) < NUM_POSTS
    dead = {post for batch, posts in deaths.items() for post in posts if batch < 6}
    assert {keys[key] for key in saw(stage(place / "run"))} == found.keys() & dead


def test_a_checkpoint_lists_what_came_before_it_and_a_descendant_what_it_began_with(place):
    source = watched(place)
    trained(place, "run", source)
    late = next(post for post, batch in source.read.items() if batch >= 3)
    early = next(post for post, batch in source.read.items() if batch < 3)
    never = next(post for post in range(NUM_POSTS) if post not in source.read)
    deaths = [
        (seq, Deletion(id=f"at://p/{post}", received_us=1)) for seq, post in enumerate((late, never), 2000)
    ]
    note_deletions(place / "corpus", deaths, 2001)
    child = asked(place, "child", start_from=str(place / "run"), seed=6, batch_tokens=30, steps=1)
    train(child, source=Watched(CorpusSource(open_corpus(place / "corpus"), seed=6, batch_tokens=30)),
          model=Llama(SHAPE))  # fmt: skip

    def paths(post):
        return [
            (seen.path.removeprefix(f"{place}/"), seen.is_inherited)
            for seen in who_saw(f"at://p/{post}", [place])
        ]

    assert paths(late) == [
        ("child/checkpoints/step-00000001", True),
        ("run/checkpoints/step-00000006", False),
    ]
    own = ("run/checkpoints/step-00000003", False), ("run/checkpoints/step-00000006", False)
    assert paths(early)[1:] == list(own)
    assert paths(never) == []
    assert [here.directory.name for here in line(place / "child")] == ["child", "run"]


def test_lessons_are_told_by_the_posts_whose_words_they_hold(place):
    made(place, [lesson(1, 2), lesson(3, 4), lesson(5, 2)])
    source = LessonSource(
        place / "lessons", open_corpus(place / "corpus"), chatml(tokenizer()), seed=5, batch_tokens=60
    )
    write_plan(place / "taught", source)
    trained(place, "taught", source, source="lessons:elsewhere", steps=4, seq=600)
    assert [seen.batch for seen in who_saw("at://p/2", [place])]
    assert who_saw("at://p/6", [place]) == []
    (place / "taught" / "lessons.npz").unlink()
    with pytest.raises(InvalidInput, match="nothing tells what was taught"):
        who_saw("at://p/2", [place])


def test_a_step_whose_checkpoint_is_gone_is_told_by_the_metrics(place):
    trained(place, "run", watched(place), keep=1)
    assert stage(place / "run", 2).num_batches == 2
    with pytest.raises(InvalidInput, match="no step 9"):
        stage(place / "run", 9)
    with pytest.raises(InvalidInput, match=r"no run\.json"):
        stage(place)


def test_another_corpus_in_its_place_is_refused(place):
    trained(place, "run", watched(place))
    write_shards(documents(9), place / "corpus", tokenizer())
    with pytest.raises(InvalidInput, match="trained on another"):
        who_saw("at://p/1", [place])


def test_addresses_in_a_browser_lead_to_ids():
    assert "at://did:plc:abc/app.bsky.feed.post/3k" in identities(
        "https://bsky.app/profile/did:plc:abc/post/3k"
    )
    assert "x://status/12" in identities("https://x.com/somebody/status/12?s=20")
    assert identities("https://town.example/@ann/1") == ["https://town.example/@ann/1"]
