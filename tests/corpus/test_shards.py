import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest

from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.deletions import DeletionFold, note_deletions, read_deleted
from hubbub.corpus.manifest import About, read_manifest, write_manifest
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import key_of, write_shards
from hubbub.corpus.state import locked
from hubbub.errors import Corruption, InUse, InvalidInput, StorageError, VersionMismatch
from hubbub.posts import AccountEvent, ConsentEvent, Deletion, Edit, Post
from tests.corpus.made import document, documents, piece, text_of, tokenizer


def write(path, docs=None, **options):
    return write_shards(documents(30) if docs is None else docs, path, tokenizer(), **options)


@contextmanager
def files_up_to(num_bytes):
    """Let the disk refuse larger files."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def told(corpus, number):
    return tokenizer().decode(corpus.read(number))


def test_documents_come_back_to_the_letter(tmp_path):
    manifest = write(tmp_path, shard_tokens=200)
    corpus = open_corpus(tmp_path)
    assert len(manifest.shards) > 3
    assert manifest.num_documents == 30
    assert manifest.num_posts == 60
    for number in range(30):
        first = f"<|begin|><|post|>{text_of(2 * number)}<|post|>{text_of(2 * number + 1)}<|end|>"
        assert told(corpus, number) == first
        assert corpus.lengths[number] == len(corpus.read(number))
        assert corpus.times_us[number] == 1_000_000 * (2 * number + 1)
    assert corpus.documents(True).tolist() == [27, 28, 29]
    assert corpus.documents(False).tolist() == list(range(27))
    assert corpus.read(0).dtype == np.uint16
    rows = corpus.pieces(3)
    assert rows["received_us"].tolist() == [7_000_000, 8_000_000]
    assert [manifest.langs[each] for each in rows["lang"]] == ["de", "en"]
    assert rows["offset"].tolist() == [1, 1 + rows["length"][0]]


def test_the_same_documents_make_the_same_corpus(tmp_path):
    assert write(tmp_path / "a").id == write(tmp_path / "b").id
    assert write(tmp_path / "c", documents(29)).id != write(tmp_path / "a").id


@pytest.mark.parametrize("number", [-1, 30, 10**9])
def test_a_document_that_is_none_is_refused(tmp_path, number):
    write(tmp_path)
    with pytest.raises(InvalidInput, match="is not one of 30"):
        open_corpus(tmp_path).read(number)


def test_a_corpus_of_one_post(tmp_path):
    write(tmp_path, [document(piece(5))])
    corpus = open_corpus(tmp_path)
    assert told(corpus, 0) == f"<|begin|><|post|>{text_of(5)}<|end|>"
    assert note_deletions(tmp_path, [(1, Deletion(id="at://p/5", received_us=1))], 1) == 1
    assert corpus.read(0).tolist() == []
    compact_corpus(tmp_path)
    assert corpus.read(0).tolist() == []
    assert open_corpus(tmp_path).read(0).tolist() == []


@pytest.mark.parametrize("docs", [[], [document()]])
def test_nothing_left_is_said_with_the_reasons_and_the_old_corpus_stays(tmp_path, docs):
    def about():
        return About(num_posts=9, dropped={"too short": 9})

    with pytest.raises(InvalidInput, match=r"of 9 posts none is left \(dropped: 9 too short\)"):
        write(tmp_path, docs, about=about)
    with pytest.raises(InvalidInput, match="no corpus in"):
        open_corpus(tmp_path)
    write(tmp_path)
    with pytest.raises(InvalidInput, match="none is left"):
        write(tmp_path, docs, about=about)
    assert len(open_corpus(tmp_path).lengths) == 30
    assert not (tmp_path / "building").exists()


def test_what_events_take_away(tmp_path):
    docs = [
        document(piece(0), piece(1, former_ids=("at://p/old",)), piece(2, author="did:gone")),
        document(piece(3, author="did:gone"), piece(4, author="did:no")),
        document(piece(5), piece(6)),
    ]
    write(tmp_path, docs)
    corpus = open_corpus(tmp_path)

    def left():
        rows = [corpus.pieces(n) for n in range(3)]
        return [(~each["is_dead"]).tolist() for each in rows]

    def note(seq, event):
        return note_deletions(tmp_path, [(seq, event)], seq)

    assert note(1, Deletion(id="at://p/old", received_us=1)) == 1
    assert told(corpus, 0) == f"<|begin|><|post|>{text_of(0)}<|post|>{text_of(2)}<|end|>"
    post = Post(id="at://p/5b", author="did:5", text="new", received_us=2)
    assert note(2, Edit(post=post, replaces="at://p/5")) == 1
    assert note(3, AccountEvent(author="did:gone", status="suspended", received_us=3)) == 2
    assert note(4, AccountEvent(author="did:gone", status="restored", received_us=4)) == 0
    assert note(5, ConsentEvent(author="did:no", scope="corpus", allow=True, received_us=5)) == 0
    assert note(6, ConsentEvent(author="did:no", scope="prompt", allow=False, received_us=6)) == 0
    assert left() == [[True, False, False], [False, True], [False, True]]
    assert note(7, ConsentEvent(author="did:no", scope="corpus", allow=None, received_us=7)) == 1
    assert note(8, Deletion(id="at://unknown", received_us=8)) == 0
    assert corpus.read(1).tolist() == []
    assert corpus.deletion_mark == 8
    log = read_deleted(tmp_path, corpus.manifest.id)
    assert log["seq"].tolist() == [1, 2, 3, 3, 7]
    assert log["kind"].tolist() == [0, 1, 2, 2, 3]
    assert log["document"].tolist() == [0, 2, 0, 1, 1]
    keys = np.array([key_of(f"at://p/{n}") for n in (6, 0, 99, 5)], np.uint64)
    assert corpus.find(keys).tolist() == [2, 0, -1, 2]
    assert corpus.is_dead(keys).tolist() == [False, False, True, True]
    compact_corpus(tmp_path)
    assert corpus.find(keys).tolist() == [2, 0, -1, -1]
    assert corpus.is_dead(keys).tolist() == [False, False, True, True]


def test_events_up_to_the_mark_are_over(tmp_path):
    write(tmp_path, about=lambda: About(archive_position=50))
    gone = AccountEvent(author="did:1", status="removed", received_us=1)
    assert note_deletions(tmp_path, [(10, gone), (50, gone)], 50) == 0
    assert note_deletions(tmp_path, [(51, gone)], 51) > 0
    assert note_deletions(tmp_path, [(51, gone)], 40) == 0
    assert open_corpus(tmp_path).deletion_mark == 51


def test_compaction_keeps_numbers_and_living_text_and_no_deleted_token(tmp_path):
    write(tmp_path, shard_tokens=300)
    corpus = open_corpus(tmp_path)
    lengths = corpus.lengths.tolist()
    gone = [0, 1, 7, 20, 21, 33, 58]
    note_deletions(tmp_path, [(n + 1, Deletion(id=f"at://p/{n}", received_us=1)) for n in gone], 60)
    before = [corpus.read(n).tolist() for n in range(30)]
    hidden = [bytes(tokenizer().encode_batch([text_of(n)])[0]) for n in gone]
    kept = bytes(tokenizer().encode_batch([text_of(2)])[0])
    assert all(any(secret in data for data in all_tokens(tmp_path)) for secret in hidden)
    report = compact_corpus(tmp_path)
    assert report.num_posts == len(gone)
    assert report.freed_bytes > 0
    assert not any(secret in data for data in all_tokens(tmp_path) for secret in hidden)
    assert any(kept in data for data in all_tokens(tmp_path))
    for reader in (corpus, open_corpus(tmp_path)):
        assert [reader.read(n).tolist() for n in range(30)] == before
        assert reader.lengths.tolist() == lengths
    assert compact_corpus(tmp_path).num_shards == 0
    assert note_deletions(tmp_path, [(70, Deletion(id="at://p/6", received_us=1))], 70) == 1
    assert corpus.read(3).tolist() == []


def all_tokens(path):
    return [each.read_bytes() for each in path.glob("*/tokens.bin")]


def test_a_key_of_a_compacted_post_is_gone_too(tmp_path):
    write(tmp_path)
    key = open_corpus(tmp_path).pieces(0)["post_key"][0].tobytes()
    assert any(key in each.read_bytes() for each in tmp_path.glob("*/index.bin"))
    note_deletions(tmp_path, [(1, Deletion(id="at://p/0", received_us=1))], 1)
    compact_corpus(tmp_path)
    assert not any(key in each.read_bytes() for each in tmp_path.glob("*/index.bin"))


@pytest.mark.parametrize("name", ["tokens.bin", "index.bin", "tokenizer.json", "manifest.json"])
def test_a_flipped_bit_is_found_and_the_file_named(tmp_path, name):
    write(tmp_path)
    (path,) = tmp_path.rglob(name)
    data = bytearray(path.read_bytes())
    place = data.index(b'"num_posts": ') + 13 if name == "manifest.json" else len(data) // 2
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corruption, match=f"{name}.*build it again"):
        open_corpus(tmp_path)


def test_a_shortened_and_a_missing_file_are_named(tmp_path):
    write(tmp_path)
    (path,) = tmp_path.rglob("dead.bin")
    path.write_bytes(b"")
    with pytest.raises(Corruption, match=r"dead.bin has 0 bytes, not 60"):
        open_corpus(tmp_path, verify=False)
    path.unlink()
    with pytest.raises(Corruption, match=r"dead.bin is gone"):
        open_corpus(tmp_path)


def test_a_lost_deletion_map_heals_from_the_log(tmp_path):
    write(tmp_path)
    note_deletions(tmp_path, [(3, Deletion(id="at://p/2", received_us=1))], 3)
    corpus = open_corpus(tmp_path)
    was = corpus.read(1).tolist()
    (path,) = tmp_path.rglob("dead.bin")
    path.write_bytes(bytes(60))
    assert corpus.read(1).tolist() != was
    DeletionFold(tmp_path)
    assert corpus.read(1).tolist() == was


@pytest.mark.parametrize("bit", [0, 5, 47, 48, 63])
def test_a_mark_with_a_flipped_bit_is_as_good_as_none(tmp_path, bit):
    write(tmp_path)
    note_deletions(tmp_path, [(3, Deletion(id="at://p/2", received_us=1))], 3)
    data = bytearray((tmp_path / "state.bin").read_bytes())
    data[8 + bit // 8] ^= 1 << bit % 8
    (tmp_path / "state.bin").write_bytes(data)
    assert open_corpus(tmp_path, verify=False).deletion_mark == 0
    assert note_deletions(tmp_path, [(2, Deletion(id="at://p/4", received_us=1))], 3) == 1


def test_no_flipped_bit_brings_a_post_of_a_thread_back(tmp_path):
    write(tmp_path)
    corpus = open_corpus(tmp_path)
    note_deletions(tmp_path, [(3, Deletion(id="at://p/2", received_us=1))], 3)
    was = corpus.read(1).tolist()
    (path,) = tmp_path.rglob("dead.bin")
    path.write_bytes(path.read_bytes().replace(b"\1", b"\3"))
    assert corpus.read(1).tolist() == was


def test_a_newer_version_is_refused(tmp_path):
    manifest = write(tmp_path)
    write_manifest(tmp_path, msgspec.structs.replace(manifest, format=2))
    with pytest.raises(VersionMismatch, match="has format 2, this hubbub reads 1"):
        open_corpus(tmp_path)


def test_two_builders_and_a_builder_that_waits_for_nobody(tmp_path):
    write(tmp_path)
    with locked(tmp_path, "builder"):
        with pytest.raises(InUse, match=f"is being written by process {os.getpid()}"):
            write(tmp_path)
        note_deletions(tmp_path, [(1, Deletion(id="at://p/0", received_us=1))], 1)


def test_another_build_under_a_reader_is_told(tmp_path):
    write(tmp_path)
    corpus = open_corpus(tmp_path)
    write(tmp_path, documents(29))
    with pytest.raises(InvalidInput, match="by now"):
        corpus.read(0)


def test_a_full_disk_leaves_the_last_good_corpus(tmp_path):
    write(tmp_path)
    with files_up_to(20_000), pytest.raises(StorageError, match="file size limit"):
        write(tmp_path, documents(3000))
    assert not (tmp_path / "building").exists()
    assert len(open_corpus(tmp_path).lengths) == 30


def test_a_full_disk_stops_compaction_and_deletions_go_on(tmp_path):
    write(tmp_path, documents(2000))
    corpus = open_corpus(tmp_path)
    note_deletions(tmp_path, [(1, Deletion(id="at://p/0", received_us=1))], 1)
    before = sorted(each.name for each in tmp_path.iterdir())
    with files_up_to(20_000):
        with pytest.raises(StorageError, match="file size limit"):
            compact_corpus(tmp_path)
        assert note_deletions(tmp_path, [(2, Deletion(id="at://p/1", received_us=1))], 2) == 1
    assert corpus.read(0).tolist() == []
    assert sorted(each.name for each in tmp_path.iterdir()) == before
    assert compact_corpus(tmp_path).num_posts == 2


_WORKER = """
import random, sys
from hubbub.corpus.compaction import compact_corpus
from hubbub.corpus.deletions import DeletionFold
from hubbub.posts import Deletion
path, first = sys.argv[1], int(sys.argv[2])
fold = DeletionFold(path)
for number in range(first, 600):
    if number >= fold.mark:
        fold.note([(number + 1, Deletion(id=f"at://p/{number}", received_us=1))], number + 1)
    print(number + 1, flush=True)
    if number % 3 == 0:
        compact_corpus(path)
"""


def test_kill_9_at_any_moment_loses_no_deletion_and_no_document(tmp_path):
    write(tmp_path, documents(300), shard_tokens=4000)
    corpus, draw, mark = open_corpus(tmp_path), random.Random(5), 0
    whole = [corpus.read(n).tolist() for n in range(300)]
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(tmp_path), str(mark)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(draw.randint(1, 40)):
            mark = int(child.stdout.readline())
        time.sleep(draw.uniform(0.0, 0.01))
        child.kill()
        mark = max([mark, *map(int, child.communicate()[0].split())])
        for reader in (corpus, open_corpus(tmp_path)):
            lengths = [len(reader.read(n)) for n in range(300)]
            assert not any(lengths[: mark // 2])
            later = range(mark // 2 + 2, 300)
            assert [reader.read(n).tolist() for n in later] == [whole[n] for n in later]
    assert mark > 10
    compact_corpus(tmp_path)
    shards = {each.name for each in open_corpus(tmp_path).manifest.shards}
    assert {each.name for each in tmp_path.glob("shard-*")} == shards


_KILLED = """
import sys, time
from tests.corpus.made import documents, tokenizer
from hubbub.corpus.shards import write_shards
def slowly():
    for number, each in enumerate(documents(6000)):
        if number == 4500: print("midway", flush=True); time.sleep(30)
        yield each
write_shards(slowly(), sys.argv[1], tokenizer(), shard_tokens=5000)
"""


def test_kill_9_leaves_the_last_good_corpus_and_the_next_build_cleans_up(tmp_path):
    old = write(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"midway\n"
    finally:
        child.kill()
        child.communicate()
    assert (tmp_path / "building").exists()
    assert open_corpus(tmp_path).manifest.id == old.id
    write(tmp_path, documents(10))
    assert not (tmp_path / "building").exists()
    assert len(open_corpus(tmp_path).lengths) == 10


def test_readers_of_another_process_see_it_at_their_next_read(tmp_path):
    write(tmp_path)
    code = (
        "import sys; from hubbub.corpus.reader import open_corpus\n"
        "corpus = open_corpus(sys.argv[1])\n"
        "for line in sys.stdin: print(len(corpus.read(int(line))), corpus.deletion_mark, flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(number):
        child.stdin.write(f"{number}\n")
        child.stdin.flush()
        return [int(each) for each in child.stdout.readline().split()]

    try:
        length = len(open_corpus(tmp_path).read(4))
        assert ask(4) == [length, 0]
        note_deletions(tmp_path, [(1, Deletion(id=f"at://p/{n}", received_us=1)) for n in (8, 9)], 5)
        assert ask(4) == [0, 5]
        compact_corpus(tmp_path)
        assert ask(5)[0] > 0
        note_deletions(tmp_path, [(6, Deletion(id=f"at://p/{n}", received_us=1)) for n in (10, 11)], 6)
        assert ask(5) == [0, 6]
    finally:
        child.communicate()


def test_a_crash_between_manifest_and_state_hides_no_deletion(tmp_path):
    manifest = write(tmp_path)
    corpus = open_corpus(tmp_path)
    # As compaction leaves it when it dies there: the manifest names new files, the readers have the old ones.
    old, new = tmp_path / manifest.shards[0].name, tmp_path / "shard-00000.2"
    new.mkdir()
    for each in old.iterdir():
        (new / each.name).write_bytes(each.read_bytes())
    notes = (msgspec.structs.replace(manifest.shards[0], name=new.name),)
    write_manifest(tmp_path, msgspec.structs.replace(manifest, shards=notes, generation=2))
    assert len(corpus.read(0))
    note_deletions(tmp_path, [(1, Deletion(id=f"at://p/{n}", received_us=1)) for n in (0, 1)], 1)
    assert corpus.read(0).tolist() == []
    compact_corpus(tmp_path)
    assert not old.exists()
    assert read_manifest(tmp_path).generation == 3
