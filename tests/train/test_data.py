"""No batch holds a post after its deletion, whatever comes between; every target is learned once."""

import shutil
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.corpus.deletions import note_deletions
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import write_shards
from hubbub.model.loss import IGNORED
from hubbub.posts import Deletion
from hubbub.train.data import Batches
from hubbub.train.source import CorpusSource, Row
from tests.corpus.made import document, piece, tokenizer
from tests.train.conftest import PlainCorpus, counting

NUM_DOCUMENTS, PIECES = 40, 2


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A corpus of documents of two posts each, post n in document n // 2."""
    directory = tmp_path_factory.mktemp("corpus") / "built"
    told = (document(piece(2 * n), piece(2 * n + 1)) for n in range(NUM_DOCUMENTS))
    write_shards(told, directory, tokenizer(), shard_tokens=400)
    return directory


def targets(micro):
    """The targets of a micro batch, as a multiset in a list."""
    found = micro.targets[micro.targets != IGNORED]
    return sorted(found.tolist())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("batch"), st.integers(0, 12)),
        st.tuples(st.just("delete"), st.integers(0, NUM_DOCUMENTS * PIECES - 1)),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.booleans(), st.booleans())
def test_a_deleted_post_is_in_no_batch_after(built, tmp_path_factory, steps, is_packed, is_ahead):
    directory = tmp_path_factory.mktemp("deleting") / "corpus"
    shutil.copytree(built, directory)
    corpus = open_corpus(directory, verify=False)
    texts = {n: tokenizer().encode(piece(n).text) for n in range(NUM_DOCUMENTS * PIECES)}
    source = CorpusSource(corpus, seed=3, batch_tokens=300)
    batches = Batches(source, seq=64, micro_tokens=128, is_packed=is_packed, is_ahead=is_ahead)
    dead: set[int] = set()
    position = 0
    for what, number in steps:
        if what == "delete":
            position += 1
            event = Deletion(id=f"at://p/{number}", received_us=position)
            note_deletions(directory, [(position, event)], position)  # as another process would
            dead.add(number)
            continue
        keys, _ = source.plan(number)
        living = [n for key in keys for n in (2 * key, 2 * key + 1) if n not in dead]
        learned = 0
        for micro in batches.micros(number):
            rows = [tuple(row) for row in micro.ids.tolist()]
            for gone in dead:
                assert not any(holds(row, texts[gone]) for row in rows)
            learned += micro.num_targets
        wanted = sum(len(texts[n]) + 1 for n in living)  # with the token that begins a post
        documents = sum(any(n not in dead for n in (2 * key, 2 * key + 1)) for key in keys)
        assert learned == wanted + documents  # and each document's end
    batches.close()


def holds(row, tokens):
    return any(row[at : at + len(tokens)] == tuple(tokens) for at in range(len(row) - len(tokens) + 1))


def test_a_deletion_between_two_micro_batches_of_one_batch_counts():
    corpus = PlainCorpus([np.array([1, 10 + n, 10 + n, 2]) for n in range(40)])
    batches = Batches(CorpusSource(corpus, seed=0, batch_tokens=160), seq=8, micro_tokens=9, is_ahead=True)
    found = batches.micros(0)
    first = next(found)
    gone = [n for n in range(40) if not (first.ids == 10 + n).any()]
    for n in gone:
        corpus.delete(n)
    assert all(not micro.num_targets for micro in found)
    batches.close()


def test_deletions_of_another_thread_hold_from_the_moment_they_return():
    corpus = PlainCorpus([np.array([1, 3 + n % 60, 3 + n % 60, 2]) for n in range(60)])
    batches = Batches(CorpusSource(corpus, seed=0, batch_tokens=60), seq=8, micro_tokens=9, is_ahead=True)
    done: list[int] = []

    def delete():
        for n in range(60):
            corpus.delete(n)
            done.append(n)

    thread = threading.Thread(target=delete)
    thread.start()
    for number in range(60):
        before = list(done)
        for micro in batches.micros(number):
            assert not any((micro.ids == 3 + n).any() for n in before)
    thread.join()
    batches.close()


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_together_learn_each_target_once(is_packed, world):
    source = CorpusSource(PlainCorpus(counting(50)), seed=1, batch_tokens=700)
    found, nums = [], set()
    for rank in range(world):
        kind = {"seq": 16, "micro_tokens": 64, "is_packed": is_packed}
        micros = list(Batches(source, rank=rank, world=world, **kind).micros(3))
        nums.add(len(micros))
        found += [token for micro in micros for token in targets(micro)]
    wanted = [int(t) for key in source.plan(3)[0] for t in source.row(key).ids[1:]]
    assert sorted(found) == sorted(wanted)
    assert len(nums) == 1


def test_packed_rows_number_their_documents():
    source = CorpusSource(PlainCorpus(counting(50)), seed=1, batch_tokens=700)
    for micro in Batches(source, seq=64, micro_tokens=128, is_packed=True).micros(0):
        assert micro.ids.shape == (2, 64)
        begins = (micro.ids == 1) & (micro.targets != IGNORED)
        for row, marks in zip(micro.documents, begins, strict=True):
            numbers = row[row >= 0]
            assert len(numbers.unique()) == int(marks.sum())


def test_only_marked_tokens_are_learned():
    class Lessons:
        id, deletion_mark = "lessons", 0

        def plan(self, number):
            return np.array([0, 1]), np.array([5, 4])

        def row(self, key):
            return Row(np.arange(10, 15 - key), np.arange(5 - key) >= 3)

    (micro,) = Batches(Lessons(), seq=16, micro_tokens=64).micros(0)
    assert targets(micro) == [13, 13, 14]
