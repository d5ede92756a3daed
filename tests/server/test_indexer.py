"""The process that indexes beside a following one: signals to the group, and its death."""

import os
import signal
import threading
import time

import pytest

from hubbub.config import Config
from hubbub.errors import HubbubError
from hubbub.server.indexer import Indexer
from hubbub.server.remote import read_address
from hubbub.stream import open_archive


def test_a_termination_of_the_group_leaves_it_alone_and_its_death_is_told(tmp_path):
    open_archive(tmp_path / "archive", "w").close()
    indexer = Indexer(Config(data=str(tmp_path), embedder="none"))
    pid = indexer._process.pid
    os.kill(pid, signal.SIGTERM)  # it is still starting
    while read_address(tmp_path) is None:
        assert not indexer.has_failed
        time.sleep(0.02)
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    time.sleep(0.3)
    assert not indexer.has_failed
    os.kill(pid, signal.SIGKILL)
    told = []

    def finish():
        with pytest.raises(HubbubError, match="exit code -9"):
            while not indexer.finish(0.2):
                pass
        told.append(True)

    waiting = threading.Thread(target=finish, daemon=True)
    waiting.start()
    waiting.join(20)
    assert told
