"""Index in a process of its own while another one follows: the two share nothing but the archive.

The indexing process owns the index and answers HTTP on a free local port, so that
`hubbub ask` works while `hubbub follow` runs.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path

from hubbub.config import Config
from hubbub.errors import HubbubError, InUse
from hubbub.server.house import House
from hubbub.server.remote import remove_address, write_address

EXIT_IN_USE = 3
_SPAWN = multiprocessing.get_context("spawn")


class Indexer:
    """A child process that folds a data directory's archive until told that the last event is in."""

    def __init__(self, config: Config) -> None:
        self._is_done = _SPAWN.Event()
        self._process = _SPAWN.Process(target=_index, args=(config, self._is_done), name="hubbub-index")
        self._process.start()

    @property
    def is_redundant(self) -> bool:
        """Whether it left because another process already keeps this index."""
        return self._process.exitcode == EXIT_IN_USE

    @property
    def has_failed(self) -> bool:
        """Whether it left by an error."""
        return self._process.exitcode not in (None, 0, EXIT_IN_USE)

    def finish(self, timeout_s: float | None = None) -> bool:
        """Let it fold what is in the archive now, then leave; True once it has.

        Raises:
            HubbubError: it failed; its own message stands on stderr.
        """
        self._is_done.set()
        self._process.join(timeout_s)
        code = self._process.exitcode
        if self.has_failed:
            why = "the disk is full" if code == -signal.SIGBUS else "its message stands above"
            raise HubbubError(
                f"the indexing process failed (exit code {code}), {why}; "
                "the archive is whole: mend the cause, then `hubbub ask` indexes the rest"
            )
        return code is not None


def _index(config: Config, is_done: ProcessEvent) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and says when we are done
    try:
        with House(config) as house:
            _answer_until(house, is_done)
    except InUse:
        raise SystemExit(EXIT_IN_USE) from None
    except HubbubError as error:
        raise SystemExit(f"hubbub: {error}") from None


def _answer_until(house: House, is_done: ProcessEvent) -> None:
    from hubbub.server.app import create_app
    from hubbub.web.run import Server

    directory = Path(house.config.data)
    app = create_app(house, archive=house.archive.directory, stamps=house.stamps)
    server = Server(app, "127.0.0.1", 0, on_ready=lambda url: write_address(directory, url))
    thread = threading.Thread(target=server.run, name="http")
    thread.start()
    parent = multiprocessing.parent_process()
    try:
        while not is_done.wait(0.2) and parent is not None and parent.is_alive():
            house.raise_error()
        house.wait_until_folded(house.archive.last_seq)
    finally:
        server.stop()
        thread.join()
        remove_address(directory)
