"""What was deleted leaves the archive's files while `hubbub follow` goes on."""

import json
import os
import subprocess
import sys
import time


def test_follow_erases_deleted_text_in_time(tmp_path):
    source, data = tmp_path / "posts.ndjson", tmp_path / "data"
    source.write_text(json.dumps({"id": "x:1", "text": "regrettable words"}) + "\n")
    command = [sys.executable, "-m", "hubbub.cli.main", "follow", str(source), "--tail", "--no-index"]
    environment = {**os.environ, "HUBBUB_ERASE_S": "1", "HUBBUB_DATA": str(data)}
    follow = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: b"regrettable" in archived(data))
        with open(source, "a") as file:
            file.write(json.dumps({"type": "deletion", "id": "x:1", "received_us": 1}) + "\n")
        wait_until(lambda: b"deletion" in archived(data) and b"regrettable" not in archived(data))
        assert follow.poll() is None
    finally:
        follow.terminate()
        follow.wait()
    assert follow.returncode == 0


def archived(data):
    return b"".join(path.read_bytes() for path in data.glob("archive/*.log"))


def wait_until(is_so, timeout_s=30):
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.05)
