"""A build gives the same bytes however it is cut, killed or spread; each post has one reason to be out."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from hubbub.corpus.build import build_corpus, build_part, work_directory
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.settings import CorpusSettings
from hubbub.errors import InUse, InvalidInput, StorageError
from hubbub.posts import ConsentEvent, Deletion, Edit, Post
from tests.corpus.made import tokenizer

WORDS = "river bridge water rises tonight fire brigade pumps cellar school open closed village road".split()
QUESTION = "which of the seven villages along the lorn was cut off on tuesday"


def events(num=600, seed=1):
    """Posts of a small place: threads, copies, near copies, deletions, edits, people who say no."""
    rng = random.Random(seed)
    found, texts = [], []
    for author in range(25):
        found.append(
            ConsentEvent(author=f"did:{author}", scope="corpus", allow=author % 9 > 0, received_us=1)
        )
    for n in range(num):
        kind = rng.random()
        text = " ".join(rng.choices(WORDS, k=rng.randint(5, 25))) + f" house {n}"
        if texts and kind < 0.1:
            text = rng.choice(texts).upper() + "!"
        elif texts and kind < 0.2:
            words = rng.choice(texts).split()
            text = " ".join(["instead", *words[1:]])
        elif kind < 0.22:
            text = f"quiz: {QUESTION}?"
        elif kind < 0.25:
            text = f"write to n{n}@mail.example or call +49 30 1234567, @h{n % 7}"
        texts.append(text)
        parent = rng.randrange(n) if n and rng.random() < 0.4 else None
        found.append(
            Post(
                id=f"at://p/{n}",
                author=f"did:{min(int(rng.paretovariate(0.7)), 24)}",
                handle=f"h{n % 7}",
                text=text,
                received_us=1_000_000 * n,
                reply_to=None if parent is None else f"at://p/{parent}",
                langs=("en",) if n % 2 else (),
            )
        )
        if rng.random() < 0.05:
            found.append(Deletion(id=f"at://p/{rng.randrange(n + 1)}", received_us=1_000_000 * n))
        if rng.random() < 0.05:
            post = found[-1] if isinstance(found[-1], Post) else found[-2]
            found.append(Edit(post=msgspec.structs.replace(post, text=post.text + " now"), replaces=post.id))
    return list(enumerate(found, 1))


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tokenizer")
    tokenizer().save(directory)
    return CorpusSettings(
        tokenizer=str(directory),
        active_floor=80,
        active_share=0.05,
        held_out_share=0.1,
        evaluation=(QUESTION,),
    )


def content(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory, options):
    directory = tmp_path_factory.mktemp("whole") / "corpus"
    return build_corpus(events(), directory, options), directory


def test_every_post_is_kept_or_has_one_reason_not_to_be(whole, options):
    report, directory = whole
    assert report.num_kept + sum(report.dropped.values()) == report.num_posts
    assert report.dropped.keys() >= {
        "exact duplicate",
        "near duplicate",
        "deleted",
        "author has not allowed it",
        "author too active",
        "in an evaluation text",
        "sent again or edited",
    }
    about = report.manifest.about
    assert about.dropped == report.dropped and about.archive_position == events()[-1][0]
    assert about.settings["evaluation"] == 1
    assert not work_directory(directory).exists()


def test_what_is_inside(whole):
    report, directory = whole
    corpus = open_corpus(directory)
    known = tokenizer()
    documents = [known.decode(corpus.read(n).tolist()) for n in range(report.num_documents)]
    text = "\n".join(documents)
    assert not [each for each in ("@mail.example", "1234567", "@h", "villages along") if each in text]
    assert "<email> or call <phone>" in text and "@b: " in text
    held_out = corpus.documents(True)
    assert 0 < len(held_out) and corpus.times_us[held_out].min() >= report.manifest.about.held_out_from_us
    assert corpus.times_us[corpus.documents(False)].max() < report.manifest.about.held_out_from_us


@pytest.mark.parametrize(("parts", "run_posts"), [(1, 3), (3, 40), (5, 25_000)])
def test_parts_and_runs_change_no_byte(whole, options, tmp_path, parts, run_posts):
    directory = tmp_path / "corpus"
    for part in random.Random(parts).sample(range(1, parts + 1), parts):
        build_part(events(), directory, options, part=part, parts=parts, run_posts=run_posts)
    build_corpus(events(), directory, options)
    assert content(directory) == content(whole[1])


def test_processes_change_no_byte(whole, options, tmp_path):
    build_corpus(events(), tmp_path / "corpus", options, processes=2)
    assert content(tmp_path / "corpus") == content(whole[1])


KILLED = """
import sys
from tests.corpus.test_build import events
from hubbub.corpus.build import build_corpus
from hubbub.corpus.settings import CorpusSettings
import msgspec
build_corpus(events(), sys.argv[1], msgspec.json.decode(sys.argv[2], type=CorpusSettings), run_posts=40)
"""


def test_a_build_that_was_killed_goes_on_to_the_same_bytes(whole, options, tmp_path):
    directory = tmp_path / "corpus"
    work = work_directory(directory)
    arguments = [sys.executable, "-c", KILLED, str(directory), msgspec.json.encode(options).decode()]
    for seen in ("authors.new", "run-0003.json"):
        child = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
        while not (work / seen).exists() and child.poll() is None:
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert not (directory / "manifest.json").exists()
    assert (work / "run-0003.json").exists()
    build_corpus(events(), directory, options)
    assert content(directory) == content(whole[1])


def test_work_for_other_settings_is_thrown_away(whole, options, tmp_path):
    directory = tmp_path / "corpus"
    other = msgspec.structs.replace(options, min_words=7)
    build_part(events(), directory, other, part=1, parts=2)
    build_corpus(events(), directory, options)
    assert content(directory) == content(whole[1])


def test_work_of_another_archive_is_refused(whole, options, tmp_path):
    directory = tmp_path / "corpus"
    build_part(events(60), directory, options, part=1, parts=2)
    for other in (events(60, seed=2), events(60)[:-1], []):
        with pytest.raises(InvalidInput, match=r"corpus.work' is of another archive.*delete"):
            build_corpus(other, directory, options)
    grown = build_corpus(events(61), directory, options)  # it goes on with what it had read
    assert grown.num_events == len(events(60))


def test_a_corpus_can_be_built_again_in_its_place(options, tmp_path):
    first = build_corpus(events(), tmp_path / "corpus", options).manifest
    assert build_corpus(events(), tmp_path / "corpus", options).manifest.id == first.id


def test_languages_are_chosen(options, tmp_path):
    german = "heute Nacht steigt das Wasser im ganzen Tal und die Feuerwehr pumpt schon seit Stunden"
    told = Post(
        id="at://2", author="did:a", text="road closed near the old mill", received_us=6, langs=("de-AT",)
    )
    found = [*one_post(), (3, Post(id="at://3", author="did:a", text=german, received_us=7)), (4, told)]
    report = build_corpus(found, tmp_path, msgspec.structs.replace(options, languages=("de",)))
    assert report.dropped == {"language": 1} and report.manifest.langs == ("de",)


def one_post(text="the river rises in the village tonight"):
    allowed = ConsentEvent(author="did:a", scope="corpus", allow=True, received_us=1)
    return [(1, allowed), (2, Post(id="at://1", author="did:a", text=text, received_us=5))]


def test_one_post_is_a_corpus(tmp_path):
    report = build_corpus(one_post(), tmp_path / "c")
    assert report.num_documents == 1 and report.dropped == {}
    assert open_corpus(tmp_path / "c").documents(False).tolist() == [0]


@pytest.mark.parametrize("found", [[], one_post()[1:], one_post("no")])
def test_nothing_is_left(found, tmp_path, options):
    for settings in (options, CorpusSettings()):
        with pytest.raises(InvalidInput, match="none is left"):
            build_corpus(found, tmp_path / "c", settings)
        assert not (tmp_path / "c" / "manifest.json").exists()
        assert not work_directory(tmp_path / "c").exists()


def test_no_such_part(options, tmp_path):
    with pytest.raises(InvalidInput, match="part 4 of 3"):
        build_part([], tmp_path, options, part=4, parts=3)


def test_two_builders(options, tmp_path):
    work = work_directory(tmp_path / "c")
    work.mkdir()
    with open(work / "merge.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InUse, match="merge.lock"):
            build_corpus(events(), tmp_path / "c", options)


def test_a_disk_that_refuses(options, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        build_corpus(events(), tmp_path / "file" / "c", options)
