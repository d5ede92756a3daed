"""Index in a process of its own while another one follows: the two share nothing but the archive.

The indexing process owns the index and answers HTTP on a free local port, so that
`hubbub ask` works while `hubbub follow` runs.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
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
        # A pipe, since a multiprocessing.Event waits for ever for a child that was killed while it waited.
        until, self._until = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=_index, args=(config, until), name="hubbub-index")
        resource_tracker.ensure_running()  # it lets the signals through again where it starts
        # Ctrl-C and a termination reach a whole group; the child and its own leave only when told to.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        until.close()

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
        self._until.close()
        self._process.join(timeout_s)
        code = self._process.exitcode
        if self.has_failed:
            why = "the disk is full" if code == -signal.SIGBUS else "its message stands above"
            raise HubbubError(
                f"the indexing process failed (exit code {code}), {why}; "
                "the archive is whole: mend the cause, then `hubbub ask` indexes the rest"
            )
        return code is not None


def _index(config: Config, until: Connection) -> None:
    try:
        with House(config) as house:
            _answer_until(house, until)
    except InUse:
        raise SystemExit(EXIT_IN_USE) from None
    except HubbubError as error:
        raise SystemExit(f"hubbub: {error}") from None


def _answer_until(house: House, until: Connection) -> None:
    from hubbub.server.app import create_app
    from hubbub.web.run import Server

    directory = Path(house.config.data)
    app = create_app(house, archive=house.archive.directory, stamps=house.stamps)
    server = Server(app, "127.0.0.1", 0, on_ready=lambda url: write_address(directory, url))
    failures: list[HubbubError] = []

    def serve() -> None:
        try:
            server.run()
        except HubbubError as error:
            failures.append(error)

    thread = threading.Thread(target=serve, name="http")
    thread.start()
    try:
        while not until.poll(0.2):  # its end has come when the parent closed it, or died
            house.raise_error()
            if failures:
                raise failures[0]
        house.wait_until_folded(house.archive.last_seq)
    finally:
        server.stop()
        thread.join()
        remove_address(directory)
