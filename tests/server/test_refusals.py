"""A whole house on a full or read-only disk: it says so and leaves, and goes on when there is room."""

import os
import subprocess
import sys
import time

import msgspec
import pytest

from hubbub.cli.main import run
from hubbub.errors import StorageError
from hubbub.index import open_index
from hubbub.posts import Post
from hubbub.stream import open_archive
from tests.index.test_refusals import MIB, fill

ADVICE = "free some space"


@pytest.fixture(autouse=True)
def fast_embedder(monkeypatch):
    monkeypatch.setenv("HUBBUB_EMBEDDER", "hashed:16")


def hubbub(*arguments, data):
    command = [sys.executable, "-m", "hubbub.cli.main", *arguments, "--data", str(data)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)


def finished(process):
    out, said = process.communicate(timeout=60)
    assert b"Traceback" not in said, said.decode()
    return process.returncode, out.decode(), said.decode()


def write_posts(path, first, last, num_bytes=300):
    with open(path, "ab") as file:
        for n in range(first, last + 1):
            text = f"flood {os.urandom(num_bytes // 2).hex()}"
            file.write(msgspec.json.encode(Post(id=f"x://{n}", author="a", text=text, received_us=n)) + b"\n")


def wait_for_posts(data, number):
    end_s = time.monotonic() + 30
    while num_archived(data) < number:
        assert time.monotonic() < end_s
        time.sleep(0.05)


def num_archived(data):
    try:
        return open_archive(data / "archive", "r").last_seq
    except StorageError:  # its directory is made before its first file
        return 0


def check_same(data, number):
    """The archive holds what was written, once; the index the same."""
    with open_archive(data / "archive", "r") as archive:
        posts = {event.id: event for _, event in archive.read()}
        assert archive.last_seq == len(posts) == number
    index = open_index(f"edge:{data / 'index'}", "hashed:16")
    assert index.fetch(posts) == posts
    assert index.stats().num_posts == number
    index.close()


@pytest.mark.parametrize(
    ("verb", "free_bytes"),
    [(["follow"], 30 * MIB), (["follow"], 0), (["serve", "--port", "0", "--follow"], 30 * MIB)],
)
def test_on_a_full_disk_a_house_leaves_with_a_word(verb, free_bytes, mount, tmp_path, capfd):
    path, mounted = mount
    mounted("size=400m")
    source, data = tmp_path / "posts.ndjson", path / "data"
    write_posts(source, 1, 100)
    process = hubbub(*verb, str(source), "--tail", data=data)
    wait_for_posts(data, 100)
    fill(path, free_bytes)
    write_posts(source, 101, 400, num_bytes=2000)
    code, _, said = finished(process)
    assert code == 1
    assert "full" in said and ADVICE in said and str(data) in said
    path.joinpath("ballast").unlink()
    assert run(["follow", str(source), "--data", str(data)]) == 0
    assert capfd.readouterr().err == ""
    check_same(data, 400)


@pytest.mark.parametrize("verb", [["follow", "--tail"], ["serve", "--port", "0", "--follow"]])
def test_a_house_that_cannot_leave_its_address_says_so(verb, tmp_path):
    source, data = tmp_path / "posts.ndjson", tmp_path / "data"
    write_posts(source, 1, 20)
    (data / "address.json").mkdir(parents=True)
    code, _, said = finished(hubbub(*verb, str(source), data=data))
    assert code == 1 and f"could not write '{data / 'address.json'}'" in said


def test_a_read_only_house_says_so(mount, tmp_path, capfd):
    path, mounted = mount
    mounted("size=400m")
    source, data = tmp_path / "posts.ndjson", path / "data"
    write_posts(source, 1, 50)
    assert run(["follow", str(source), "--data", str(data)]) == 0
    capfd.readouterr()
    subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
    for arguments in (["follow", str(source)], ["ask", "flood?"], ["serve", "--port", "0"]):
        assert run([*arguments, "--data", str(data)]) == 1
        out, said = capfd.readouterr()
        assert out == ""
        assert "read-only" in said.lower() and str(data) in said and said.count("\n") == 1
    subprocess.run(["mount", "-o", "remount,rw", str(path)], check=True)
    check_same(data, 50)
