"""Kills a writing, compacting process at random moments: nothing acknowledged may be lost or doubled.

    python -m benchmarks.archive_crash --rounds 20

Each round a process goes on writing numbered posts, deletions and cursors, in small files, while a thread of
it compacts without pause; every acknowledgement is reported through a pipe. After kill -9 the archive is
opened again and every event is compared with what it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from hubbub.posts import Deletion, Event, Post
from hubbub.stream import Archive, open_archive

DELETE_EVERY = 10
"""Every so many events one is the deletion of the post half as far back."""
SEGMENT_BYTES = 60_000


def event_of(number: int) -> Event:
    """Return the event that has this sequence number in every run."""
    if number % DELETE_EVERY == 0:
        return Deletion(id=f"crash://{number // 2 | 1}", received_us=number)
    text = f"post {number} " + "abcdefgh" * (number % 30)
    return Post(id=f"crash://{number}", author=f"crash://author/{number % 50}", text=text, received_us=number)


def write_forever(path: str, seed: int) -> None:
    """Write on from the cursor until killed, reporting each acknowledged number on stdout."""
    chance = random.Random(seed)
    with open_archive(path, flush_ms=20, segment_bytes=SEGMENT_BYTES) as archive:
        threading.Thread(target=_compact_forever, args=(archive,), daemon=True).start()
        number = int(archive.cursor("crash") or 0)
        while True:
            last = number + chance.choice((1, 2, 17, 256))
            archive.append([event_of(n) for n in range(number + 1, last + 1)], {"crash": str(last)})
            number = last
            os.write(1, b"%d\n" % number)


def _compact_forever(archive: Archive) -> None:
    while True:
        archive.compact(time.time_ns() // 1000)
        time.sleep(0.001)


def run_round(path: Path, seed: int, max_delay_s: float) -> int:
    """Let a process write for a while, kill it, check; return the number of acknowledged events."""
    command = [sys.executable, "-m", "benchmarks.archive_crash", "--write", str(path), "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    first = process.stdout.readline()
    timer = threading.Timer(
        random.Random(seed).uniform(0, max_delay_s), process.send_signal, [signal.SIGKILL]
    )
    timer.start()
    receipts = (first + process.stdout.read()).split()
    process.stdout.close()
    if process.wait() != -signal.SIGKILL:
        raise SystemExit(f"the writer failed by itself with {process.returncode}")
    acknowledged = int(receipts[-1])
    check(path, acknowledged)
    return acknowledged


def check(path: Path, acknowledged: int) -> None:
    """Compare the whole archive with what it must be; AssertionError says what is wrong."""
    with open_archive(path, segment_bytes=SEGMENT_BYTES) as archive:
        last = archive.last_seq
        assert last >= acknowledged, f"{acknowledged} was acknowledged, {last} is there"
        assert archive.cursor("crash") == str(last), (
            f"cursor {archive.cursor('crash')} does not belong to {last}"
        )
        archive.compact(0)
        deleted = {f"crash://{number // 2 | 1}" for number in range(DELETE_EVERY, last + 1, DELETE_EVERY)}
        expected = 0
        for seq, event in archive.read():
            expected += 1
            assert seq == expected, f"seq {seq} follows {expected - 1}"
            whole = event_of(seq)
            if isinstance(whole, Post) and whole.id in deleted:
                assert isinstance(event, Post) and event.id == whole.id and event.text == "", (
                    f"{event} is back"
                )
            else:
                assert event == whole, f"{event} is not {whole}"
        assert expected == last, f"reading ended at {expected} of {last}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--max-delay-s", type=float, default=0.5, help="kill at a random moment up to this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", metavar="DIRECTORY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write_forever(options.write, options.seed)
    path = Path(tempfile.mkdtemp(prefix="hubbub-crash-"))
    try:
        rounds = []
        for number in range(options.rounds):
            rounds.append(run_round(path, options.seed * 1000 + number, options.max_delay_s))
            if not options.json:
                print(
                    f"round {number + 1:3}: {rounds[-1]:8} events acknowledged so far, all there, none twice"
                )
        if options.json:
            print(json.dumps({"rounds": len(rounds), "events": rounds[-1], "lost": 0, "doubled": 0}))
    finally:
        shutil.rmtree(path)


if __name__ == "__main__":
    main()
