"""`hubbub corpus` as a person uses it, on the invented valley's forum."""

import json
import subprocess
import sys
import threading
import time

import pytest

from hubbub.cli.main import run
from hubbub.corpus.reader import open_corpus
from hubbub.corpus.shards import key_of
from hubbub.posts import ConsentEvent, Deletion, Post
from hubbub.sample.forum import forum_events
from hubbub.stream import open_archive

BUILD = ["--vocab", "600", "--lang", "en", "--set", "min_words=3"]


def fill(path, num_posts=400):
    with open_archive(path) as archive:
        archive.append(list(forum_events(num_posts)))
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data directory with an archive, and a corpus of it."""
    root = tmp_path_factory.mktemp("corpus")
    fill(root / "archive")
    assert run(["corpus", "build", str(root), str(root / "corpus"), *BUILD]) == 0
    return root


def delete(root, number):
    """Delete some posts of the corpus; return their ids."""
    corpus = open_corpus(root / "corpus")
    with open_archive(root / "archive") as archive:
        posts = [event.id for _, event in archive.read() if isinstance(event, Post)]
        keys = {int(row["post_key"]) for n in range(len(corpus.lengths)) for row in corpus.pieces(n)}
        ids = [each for each in posts if key_of(each) in keys][:number]
        archive.append([Deletion(id=each, received_us=2) for each in ids])
    return ids


def test_what_was_built_is_shown(made, capsys):
    assert run(["corpus", "show", str(made / "corpus"), "--verify"]) == 0
    shown = capsys.readouterr().out
    assert "posts deleted, still on the disk  " in shown
    assert run(["corpus", "show", str(made / "corpus"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["num_alive"] + told["num_dead"] == told["num_posts"] > 100
    assert told["about"]["settings"]["min_words"] == 3
    assert told["vocab_size"] <= 600


def test_a_build_tells_what_it_dropped_and_can_be_repeated(made, tmp_path, capsys):
    assert run(["corpus", "build", str(made / "archive"), str(tmp_path / "again"), *BUILD]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["what", "posts"]
    assert out.splitlines()[-1].startswith("in the corpus ")
    assert "hubbub corpus follow" in err
    assert not (tmp_path / "again.work").exists()


def test_deletions_are_followed_compacted_and_told(made, capsys):
    ids = delete(made, 5)
    assert run(["corpus", "follow", str(made), str(made / "corpus"), "--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_dead"] == 5
    assert run(["corpus", "follow", str(made), str(made / "corpus"), "--once"]) == 0
    assert "0 posts deleted by 0 events" in capsys.readouterr().err
    corpus = open_corpus(made / "corpus")
    assert corpus.is_dead([key_of(each) for each in ids]).all()
    assert run(["corpus", "stats", str(made / "corpus"), "--json", "--samples", "0"]) == 0
    assert json.loads(capsys.readouterr().out)["dead"]["deleted"] >= 5
    assert run(["corpus", "stats", str(made / "corpus")]) == 0
    assert "Taken away since the build" in (made / "corpus" / "report.html").read_text()
    assert run(["corpus", "compact", str(made / "corpus")]) == 0
    assert "posts removed from 1 shards" in capsys.readouterr().out
    assert not (made / "corpus" / "report.html").exists()


def test_a_follower_runs_until_it_is_stopped_and_leaves_in_order(made):
    command = [sys.executable, "-m", "hubbub.cli.main", "corpus", "follow", str(made), str(made / "corpus")]
    corpus = open_corpus(made / "corpus")
    child = subprocess.Popen([*command, "--erase", "0s", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        (died,) = delete(made, 8)[-1:]
        deadline_s = time.monotonic() + 30
        while not corpus.is_dead([key_of(died)])[0]:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
    finally:
        child.terminate()
        out, _ = child.communicate(timeout=30)
    assert json.loads(out)["deletion_mark"] == corpus.deletion_mark
    assert child.returncode in (0, -15)


def test_parts_and_a_merge_make_the_same_corpus(made, tmp_path):
    both = ["corpus", "build", fill(tmp_path / "archive"), str(tmp_path / "parts"), *BUILD]
    assert run([*both, "--part", "1/2"]) == 0
    assert run([*both, "--part", "2/2"]) == 0
    assert not (tmp_path / "parts" / "manifest.json").exists()
    assert run(both) == 0
    whole = [*both[:3], str(tmp_path / "whole"), *BUILD]
    assert run(whole) == 0
    assert open_corpus(tmp_path / "parts").manifest.id == open_corpus(tmp_path / "whole").manifest.id


def test_days_held_out_and_texts_to_leave_out(tmp_path, capsys):
    archive = fill(tmp_path / "archive")
    with open_archive(archive, "r") as events:
        texts = [event.text for _, event in events.read() if isinstance(event, Post)]
    known = max(texts, key=len)
    (tmp_path / "bench.txt").write_text(known + "\n\n")
    command = ["corpus", "build", archive, str(tmp_path / "c"), *BUILD]
    assert run([*command, "--against", str(tmp_path / "bench.txt"), "--held-out-days", "1"]) == 0
    assert "in an evaluation text" in capsys.readouterr().out
    corpus = open_corpus(tmp_path / "c")
    held = corpus.times_us[corpus.documents(True)]
    assert len(held)
    assert held.min() >= corpus.manifest.about.held_out_from_us > corpus.times_us.min()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["build", "NOWHERE", "DIR"], 1, "no archive in"),
        (["build", "ARCHIVE", "DIR", "--part", "3"], 2, "give I/N, such as 1/16"),
        (["build", "ARCHIVE", "DIR", "--part", "3/2"], 2, "parts are numbered from 1"),
        (["build", "ARCHIVE", "DIR", "--set", "min_words"], 2, "give NAME=VALUE"),
        (["build", "ARCHIVE", "DIR", "--set", "colour=red"], 2, "settings are languages"),
        (["build", "ARCHIVE", "DIR", "--set", "min_words=many"], 2, "min_words"),
        (["build", "ARCHIVE", "DIR", "--lang", "xx"], 2, "none is left (dropped: "),
        (["build", "SILENT", "DIR"], 2, "author has not allowed it"),
        (["build", "EMPTY", "DIR"], 2, "of 0 posts none is left"),
        (["show", "DIR"], 2, "no corpus in"),
        (["follow", "ARCHIVE", "DIR"], 2, "no corpus in"),
        (["follow", "ARCHIVE", "CORPUS", "--erase", "soon"], 2, "soon"),
        (["compact", "DIR"], 2, "no corpus in"),
        (["stats", "DIR"], 2, "no corpus in"),
    ],
)
def test_what_cannot_be_done_is_said(made, tmp_path, capsys, arguments, code, said):
    with open_archive(tmp_path / "silent") as archive:
        archive.append([Post(id="https://a/1", author="b", text="nobody allowed these words", received_us=1)])
    open_archive(tmp_path / "empty").close()
    places = {
        "NOWHERE": tmp_path / "nowhere",
        "DIR": tmp_path / "dir",
        "ARCHIVE": made,
        "CORPUS": made / "corpus",
        "SILENT": tmp_path / "silent",
        "EMPTY": tmp_path / "empty",
    }
    assert run(["corpus", *(str(places.get(each, each)) for each in arguments)]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "dir" / "manifest.json").exists()


def test_two_builders_of_one_directory(made, tmp_path, capsys):
    archive = fill(tmp_path / "archive", 3000)
    codes = []

    def build():
        codes.append(run(["corpus", "build", archive, str(tmp_path / "c"), *BUILD]))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0, 1]
    assert "c.work' is being written by process " in capsys.readouterr().err


def test_a_platform_that_never_allows_is_left_out_whatever_its_authors_say(tmp_path, capsys):
    with open_archive(tmp_path / "archive") as archive:
        archive.append([ConsentEvent(author="x:1", scope="corpus", allow=True, received_us=1)])
        archive.append([Post(id="x://status/1", author="x:1", text="four words stand here", received_us=2)])
    assert run(["corpus", "build", str(tmp_path), str(tmp_path / "c")]) == 2
    assert "none is left" in capsys.readouterr().err
