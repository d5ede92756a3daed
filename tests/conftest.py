"""What tests of several rooms need: a small disk that can be full or read-only."""

import os
import signal
import subprocess

import pytest

# Started in the background of a script, we ignore interrupts, and so would processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def mount(tmp_path):
    """Mount a small file system in memory; skip where that is not allowed."""
    path = tmp_path / "disk"
    path.mkdir()

    def mounted(*options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "hubbub-test", str(path)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system needs more rights")

    yield path, mounted
    subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)
