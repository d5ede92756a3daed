"""Reading files, pipes and compressed files into an archive, and going on exactly where it broke off."""

import gzip
import os
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from hubbub.errors import InvalidInput
from hubbub.stream import Counts, NdjsonSource, follow, open_archive
from hubbub.stream.ndjson import open_lines
from tests.stream.invented import post, posts


def lines(first, last):
    return b"".join(msgspec.json.encode(event) + b"\n" for event in posts(first, last))


def texts(archive):
    return [event.text for _, event in archive.read()]


def wanted(last):
    return [event.text for event in posts(1, last)]


def test_a_file_is_read_into_the_archive(tmp_path):
    path = tmp_path / "posts.ndjson"
    path.write_bytes(lines(1, 1000) + b"nonsense\n\n" + lines(1001, 1005).rstrip(b"\n"))
    progress = []
    with open_archive(tmp_path / "archive") as archive:
        counts = follow(NdjsonSource(str(path)), archive, on_progress=lambda c: progress.append(c.num_events))
        assert texts(archive) == wanted(1005)
        assert (counts.num_events, counts.num_malformed) == (1005, 1)
        assert progress[-1] == 1005 and len(progress) > 3
        assert [event.received_us for _, event in archive.read()] == [p.received_us for p in posts(1, 1005)]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_reading_goes_on_behind_the_last_line_that_was_kept(tmp_path, suffix):
    data = lines(1, 2000)
    path = tmp_path / f"posts.ndjson{suffix}"
    if suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif suffix == ".zst":
        path.write_bytes(pytest.importorskip("zstandard").compress(data))
    else:
        path.write_bytes(data)
    for stop_after in (300, 256, 1, 10_000):
        with open_archive(tmp_path / "archive") as archive:
            source = NdjsonSource(str(path))
            stop = threading.Event()
            begin = archive.last_seq

            def halt(counts, stop=stop, stop_after=stop_after):
                if counts.num_events >= stop_after:
                    stop.set()

            follow(source, archive, stop=stop, on_progress=halt)
            assert archive.last_seq > begin
            assert texts(archive) == wanted(archive.last_seq)
    with open_archive(tmp_path / "archive") as archive:
        assert archive.last_seq == 2000
        assert follow(NdjsonSource(str(path)), archive).num_lines == 0


def test_a_file_that_was_replaced_by_a_shorter_one_is_read_anew(tmp_path):
    path = tmp_path / "posts.ndjson"
    path.write_bytes(lines(1, 20))
    with open_archive(tmp_path / "archive") as archive:
        follow(NdjsonSource(str(path)), archive)
        path.write_bytes(lines(21, 25))
        follow(NdjsonSource(str(path)), archive)
        assert texts(archive) == wanted(25)


def test_lines_get_our_time_unless_they_tell_theirs(tmp_path):
    path = tmp_path / "posts.ndjson"
    path.write_bytes(
        b'{"id":"1","text":"x","created_at":"2011-01-28"}\n{"id":"2","text":"y","received_us":5}\n'
    )
    with open_archive(tmp_path / "archive") as archive:
        before = time.time_ns() // 1000
        follow(NdjsonSource(str(path)), archive)
        first, second = (event for _, event in archive.read())
        assert before <= first.received_us <= time.time_ns() // 1000
        assert second.received_us == 5


def test_a_growing_file_is_followed(tmp_path):
    path = tmp_path / "posts.ndjson"
    path.write_bytes(lines(1, 3))
    stop = threading.Event()
    with open_archive(tmp_path / "archive") as archive:
        source = NdjsonSource(str(path), is_growing=True)
        thread = threading.Thread(target=follow, args=(source, archive), kwargs={"stop": stop})
        thread.start()
        try:
            assert archive.wait(2, 10)
            half = len(lines(4, 4)) // 2
            with open(path, "ab", buffering=0) as file:
                file.write(lines(4, 4)[:half])
                time.sleep(0.06)
                assert archive.last_seq == 3
                file.write(lines(4, 4)[half:] + lines(5, 6))
            assert archive.wait(5, 10)
        finally:
            stop.set()
            thread.join()
        assert texts(archive) == wanted(6)


PIPE = """
import sys
from hubbub.stream import NdjsonSource, follow, open_archive
with open_archive(sys.argv[1]) as archive:
    print(follow(NdjsonSource("-"), archive).describe())
"""


def test_a_growing_file_that_is_rotated_is_followed_on(tmp_path):
    path = tmp_path / "posts.ndjson"
    path.write_bytes(lines(1, 50))
    with open_archive(tmp_path / "archive") as archive:
        stop = threading.Event()
        source = NdjsonSource(str(path), is_growing=True)
        thread = threading.Thread(target=follow, args=(source, archive), kwargs={"stop": stop})
        thread.start()
        try:
            assert archive.wait(49, 10)
            path.write_bytes(lines(51, 52))  # cut to nothing and written anew
            assert archive.wait(51, 10)
            path.rename(tmp_path / "posts.1")
            path.write_bytes(lines(53, 90))
            assert archive.wait(89, 10)
        finally:
            stop.set()
            thread.join()
        assert texts(archive) == wanted(90)
        assert archive.cursor(source.name) == str(path.stat().st_size)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_that_is_damaged_is_told_and_what_came_before_is_kept(tmp_path, suffix):
    data = lines(1, 3000)
    compress = gzip.compress if suffix == ".gz" else pytest.importorskip("zstandard").compress
    path = tmp_path / f"posts{suffix}"
    with open_archive(tmp_path / "archive") as archive:
        for damaged in (compress(data)[:-1000], b"".join((compress(data[:100]), b"no frame")), b"nonsense"):
            path.write_bytes(damaged)
            for after in (None, str(len(data) - 1)):
                source = NdjsonSource(str(path))
                parts = source.batches(after, size=1000, counts=Counts(), stop=threading.Event())
                with pytest.raises(InvalidInput, match="is not a whole"):
                    for part in parts:
                        archive.append(part.events)
        assert archive.last_seq > 100
    path.write_bytes(compress(data[:5000]) + compress(data[5000:]))
    (*_, last) = NdjsonSource(str(path)).batches(None, size=100, counts=Counts(), stop=threading.Event())
    assert last.cursor == str(len(data))


def test_standard_input_is_kept_as_soon_as_it_comes(tmp_path):
    with open_archive(tmp_path / "archive"):
        pass
    process = subprocess.Popen(
        [sys.executable, "-c", PIPE, str(tmp_path / "archive")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with open_archive(tmp_path / "archive", "r") as archive:
        process.stdin.write(lines(1, 2))
        process.stdin.flush()
        assert archive.wait(1, 20)
        out, _ = process.communicate(lines(3, 1000))
        assert texts(archive) == wanted(1000)
    assert out == b"1000 lines, 1000 events\n"
    assert process.returncode == 0


def test_a_named_pipe_is_read_like_standard_input(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with open_archive(tmp_path / "archive") as archive:
        writer = threading.Thread(target=path.write_bytes, args=(lines(1, 500),))
        writer.start()
        source = NdjsonSource(str(path))
        follow(source, archive)
        writer.join()
        assert texts(archive) == wanted(500)
        assert archive.cursor(source.name) is None


def test_stopping_ends_the_waiting_for_a_silent_pipe(tmp_path):
    reading, writing = os.pipe()
    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        stop = threading.Event()
        threading.Timer(0.1, stop.set).start()
        source = NdjsonSource("-")
        with open(0, closefd=False) as stdin:
            sys.stdin, kept = stdin, sys.stdin
            try:
                assert list(source.batches(None, size=10, counts=Counts(), stop=stop)) == []
            finally:
                sys.stdin = kept
    finally:
        os.dup2(before, 0)
        for fd in (before, reading, writing):
            os.close(fd)


def test_an_endless_line_does_not_fill_the_memory_and_what_follows_is_read(tmp_path):
    path = tmp_path / "posts.ndjson"
    with open(path, "wb") as file:
        file.write(lines(1, 1))
        for _ in range(80):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + lines(2, 2))
    with open_archive(tmp_path / "archive") as archive:
        counts = follow(NdjsonSource(str(path)), archive)
        assert texts(archive) == wanted(2)
        assert counts.num_malformed == 1
        assert archive.cursor(NdjsonSource(str(path)).name) == str(path.stat().st_size)


def test_what_cannot_be_read_is_said_at_once(tmp_path):
    with pytest.raises(InvalidInput, match="no file"):
        NdjsonSource(str(tmp_path / "missing"))
    path = tmp_path / "posts.ndjson.gz"
    path.write_bytes(gzip.compress(lines(1, 500))[:-20])
    with pytest.raises(InvalidInput, match="format"):
        NdjsonSource(str(path), "twitter")
    with pytest.raises(InvalidInput, match="unpack"):
        NdjsonSource(str(path), is_growing=True)
    with open_archive(tmp_path / "archive") as archive, pytest.raises(InvalidInput, match="whole compressed"):
        follow(NdjsonSource(str(path)), archive)
    path.write_bytes(b"no gzip at all")
    with open_archive(tmp_path / "archive") as archive, pytest.raises(InvalidInput, match="whole compressed"):
        follow(NdjsonSource(str(path)), archive)


def test_a_plain_file_opens_as_bytes(tmp_path):
    path = tmp_path / "posts.ndjson"
    path.write_bytes(msgspec.json.encode(post(1)))
    with open_lines(str(path)) as file:
        assert file.read() == msgspec.json.encode(post(1))
