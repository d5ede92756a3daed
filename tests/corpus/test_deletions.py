import itertools
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.deletions import (
    DeletionFold,
    catch_up_deletions,
    follow_deletions,
    note_deletions,
    read_deleted,
)
from hubbub.corpus.manifest import About
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import write_shards
from hubbub.errors import Corruption, InvalidInput
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from hubbub.stream import open_archive
from tests.corpus.made import document, documents, piece, text_of, tokenizer

NUM_POSTS = 60
AUTHORS = 5


class Interleavings(RuleBasedStateMachine):
    """Reads, events, replays, compactions, new readers and lost processes in any order.

    The model is a set of post numbers. A batch is right if each document in it is exactly begin, its living
    posts in order, end; so that neither a deleted post's token is left nor a living one's is lost.
    """

    def __init__(self):
        super().__init__()
        self.seq = 0
        self.events = []
        self.dead = set()
        self.readers = []

    @initialize(data=st.data(), shard_tokens=st.sampled_from([50, 200, 10_000]))
    def build(self, data, shard_tokens):
        sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=14))
        numbers = iter(range(NUM_POSTS))
        self.documents = [[n for n, _ in zip(numbers, range(size), strict=False)] for size in sizes]
        self.documents = [each for each in self.documents if each]
        self.posts = [n for each in self.documents for n in each]
        self.path = Interleavings.root / str(next(Interleavings.count))
        made = [document(*(self.piece(n) for n in each)) for each in self.documents]
        write_shards(made, self.path, tokenizer(), shard_tokens=shard_tokens)
        self.expected = {n: tokenizer().encode(text_of(n)) for n in self.posts}
        self.fold = DeletionFold(self.path)
        self.readers.append(open_corpus(self.path))

    @staticmethod
    def piece(n):
        return piece(n, author=f"did:{n % AUTHORS}", former_ids=(f"at://old/{n}",) if n % 4 == 0 else ())

    def note(self, event, gone):
        self.seq += 1
        self.events.append((self.seq, event))
        self.fold.note([(self.seq, event)], self.seq)
        self.dead |= set(gone)

    @rule(n=st.integers(0, NUM_POSTS))
    def delete(self, n):
        self.note(Deletion(id=f"at://p/{n}", received_us=1), [n])

    @rule(n=st.integers(0, NUM_POSTS))
    def delete_by_an_id_from_before_an_edit(self, n):
        self.note(Deletion(id=f"at://old/{n}", received_us=1), [n] if n % 4 == 0 else [])

    @rule(n=st.integers(0, NUM_POSTS), is_new_id=st.booleans())
    def edit(self, n, is_new_id):
        new = Post(id=f"at://p/{n}" + "b" * is_new_id, author="did:x", text="other", received_us=2)
        self.note(Edit(post=new, replaces=f"at://p/{n}"), [n])

    @rule(a=st.integers(0, AUTHORS), status=st.sampled_from(["removed", "suspended", "protected"]))
    def lose_account(self, a, status):
        gone = [n for n in range(NUM_POSTS) if n % AUTHORS == a]
        self.note(AccountEvent(author=f"did:{a}", status=status, received_us=1), gone)

    @rule(a=st.integers(0, AUTHORS), status=st.sampled_from(["restored", "named"]))
    def keep_account(self, a, status):
        self.note(AccountEvent(author=f"did:{a}", status=status, received_us=1), [])

    @rule(
        a=st.integers(0, AUTHORS),
        scope=st.sampled_from(["corpus", "index", "show", "prompt"]),
        allow=st.sampled_from([True, False, None]),
    )
    def consent(self, a, scope, allow):
        is_refused = scope != "prompt" and (allow is False or (scope == "corpus" and allow is None))
        gone = [n for n in range(NUM_POSTS) if n % AUTHORS == a and is_refused]
        self.note(ConsentEvent(author=f"did:{a}", scope=scope, allow=allow, received_us=1), gone)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def replay(self, data):
        """Any part of the past, by another process."""
        first = data.draw(st.integers(0, len(self.events)))
        mark = self.readers[0].deletion_mark
        assert note_deletions(self.path, self.events[first:], self.seq) == 0
        assert self.readers[0].deletion_mark == mark == self.seq

    @rule()
    def crash_before_the_mark(self):
        """All is noted, the process dies before it writes the mark, and its follower begins again."""
        self.fold._state.set_mark(0)
        self.fold = DeletionFold(self.path)
        assert self.fold.note(self.events, self.seq) == 0

    @rule()
    def compact(self):
        compact_corpus(self.path)

    @rule()
    def open_another(self):
        self.readers = [*self.readers[-2:], open_corpus(self.path)]

    @rule()
    def open_the_fold_again(self):
        self.fold = DeletionFold(self.path)

    @invariant()
    def every_batch_holds_the_living_and_nobody_else(self):
        for corpus in self.readers:
            for number, posts in enumerate(self.documents):
                assert corpus.read(number).tolist() == self.living(posts)

    def living(self, posts):
        ids = [i for n in posts if n not in self.dead for i in (3, *self.expected[n])]
        return [1, *ids, 2] if ids else []

    def teardown(self):
        if self.readers:
            log = read_deleted(self.path, self.readers[0].manifest.id)
            posts = {open_key(n): n for n in self.posts}
            assert {posts[int(each)] for each in log["post_key"]} == self.dead & set(self.posts)


def open_key(n):
    from hubbub.corpus.shards import key_of

    return key_of(f"at://p/{n}")


def test_no_deleted_token_in_any_batch_over_random_interleavings(tmp_path):
    from hypothesis.stateful import run_state_machine_as_test

    Interleavings.root, Interleavings.count = tmp_path, itertools.count()
    run_state_machine_as_test(
        Interleavings,
        settings=settings(max_examples=25, stateful_step_count=20, suppress_health_check=list(HealthCheck)),
    )


def test_an_archive_is_followed_and_what_died_leaves_the_disk(tmp_path):
    write_shards(documents(20), tmp_path / "corpus", tokenizer())
    corpus = open_corpus(tmp_path / "corpus")
    secret = bytes(tokenizer().encode_batch([text_of(0)])[0])
    stop = threading.Event()
    with open_archive(tmp_path / "archive") as archive, open_archive(tmp_path / "archive", "r") as reading:
        run = {"compact_s": 0.3}
        thread = threading.Thread(
            target=follow_deletions, args=(tmp_path / "corpus", reading, stop), kwargs=run
        )
        thread.start()
        try:
            archive.append([Deletion(id="at://p/0", received_us=1), Deletion(id="at://p/1", received_us=1)])
            wait_until(lambda: len(corpus.read(0)) == 0, 10.0)
            wait_until(lambda: secret not in tokens_of(tmp_path / "corpus"), 10.0)
            archive.append([Deletion(id="at://p/3", received_us=1)])
            wait_until(lambda: len(corpus.read(1)) < corpus.lengths[1], 10.0)
            wait_until(lambda: corpus.deletion_mark == 3, 10.0)
        finally:
            stop.set()
            thread.join()


def test_a_follower_that_comes_back_late_erases_what_was_noted_before(tmp_path):
    write_shards(documents(5), tmp_path / "corpus", tokenizer())
    note_deletions(tmp_path / "corpus", [(1, Deletion(id="at://p/0", received_us=1))], 1)
    assert DeletionFold(tmp_path / "corpus").oldest_us() > 0
    with open_archive(tmp_path / "archive") as archive:
        archive.append([Deletion(id="at://p/0", received_us=1)])
        stop = threading.Event()
        thread = threading.Thread(
            target=follow_deletions, args=(tmp_path / "corpus", archive, stop), kwargs={"compact_s": 0.0}
        )
        thread.start()
        secret = bytes(tokenizer().encode_batch([text_of(0)])[0])
        wait_until(lambda: secret not in tokens_of(tmp_path / "corpus"), 10.0)
        stop.set()
        thread.join()
    assert DeletionFold(tmp_path / "corpus").oldest_us() is None


def test_a_reader_in_the_middle_of_training_is_not_disturbed_by_compactions(tmp_path):
    write_shards(documents(200), tmp_path, tokenizer(), shard_tokens=1000)
    corpus, failures, stop = open_corpus(tmp_path), [], threading.Event()
    expected = [corpus.read(n).tolist() for n in range(200)]

    def train():
        rng = np.random.default_rng(1)
        while not stop.wait(
            0.001
        ):  # spinning, it would keep the interpreter from the compactions for seconds
            for number in rng.integers(1, 200, 32).tolist():
                if number % 2 and corpus.read(number).tolist() != expected[number]:
                    failures.append(number)

    thread = threading.Thread(target=train)
    thread.start()
    for seq, number in enumerate(range(0, 200, 20), 1):  # even documents die, odd ones are read
        event = Deletion(id=f"at://p/{2 * number}", received_us=1)
        note_deletions(tmp_path, [(seq, event)], seq)
        compact_corpus(tmp_path)
    stop.set()
    thread.join()
    assert not failures
    assert corpus.manifest.generation > 5


def test_catching_up_notes_all_that_is_there_and_ends(tmp_path):
    write_shards(documents(20), tmp_path / "corpus", tokenizer(), about=lambda: About(archive_position=2))
    with open_archive(tmp_path / "archive") as archive:
        archive.append([Deletion(id=f"at://p/{n}", received_us=1) for n in range(30)])
        assert catch_up_deletions(tmp_path / "corpus", archive) == 28
        assert catch_up_deletions(tmp_path / "corpus", archive) == 0
    corpus = open_corpus(tmp_path / "corpus")
    assert [n for n in range(20) if len(corpus.read(n))] == [0, 15, 16, 17, 18, 19]


def test_another_archive_than_the_corpus_was_built_from_is_refused(tmp_path):
    write_shards(documents(5), tmp_path / "corpus", tokenizer(), about=lambda: About(archive_position=9))
    with (
        open_archive(tmp_path / "archive") as archive,
        pytest.raises(InvalidInput, match="with event 0"),
    ):
        follow_deletions(tmp_path / "corpus", archive, threading.Event())


def test_a_lost_state_file_is_named_and_made_again(tmp_path):
    write_shards(documents(5), tmp_path, tokenizer(), about=lambda: About(archive_position=9))
    (tmp_path / "state.bin").unlink()
    with pytest.raises(Corruption, match=r"state.bin is gone; make it again"):
        open_corpus(tmp_path)
    assert note_deletions(tmp_path, [(9, Deletion(id="at://p/0", received_us=1))], 9) == 0
    assert note_deletions(tmp_path, [(10, Deletion(id="at://p/0", received_us=1))], 10) == 1
    assert open_corpus(tmp_path).deletion_mark == 10


@pytest.mark.parametrize("torn", [1, 17])
def test_a_torn_log_goes_on_at_a_whole_row(tmp_path, torn):
    corpus_id = write_shards(documents(5), tmp_path, tokenizer()).id
    note_deletions(tmp_path, [(1, Deletion(id="at://p/0", received_us=1))], 1)
    (path,) = tmp_path.glob("deleted-*.log")
    with path.open("ab") as file:
        file.write(b"\1" * torn)
    assert len(read_deleted(tmp_path, corpus_id)) == 1
    note_deletions(tmp_path, [(2, Deletion(id="at://p/5", received_us=1))], 2)
    assert read_deleted(tmp_path, corpus_id)["seq"].tolist() == [1, 2]


def wait_until(is_done, seconds):
    deadline_s = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def tokens_of(path):
    for _ in range(20):
        try:
            return b"".join(each.read_bytes() for each in path.glob("*/tokens.bin"))
        except FileNotFoundError:  # compacted between listing and reading
            time.sleep(0.01)
    raise AssertionError
