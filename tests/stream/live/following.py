"""Follows a source in a thread until what a test waits for has happened."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

from hubbub.stream import Counts, follow, open_archive
from hubbub.stream.live import LiveSource, open_live


class Followed:
    """A source being followed into an archive."""

    def __init__(self, archive, source):
        self.archive, self.source = archive, source
        self.counts = Counts()
        self.stop = threading.Event()
        self.error = None
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self):
        try:
            follow(self.source, self.archive, stop=self.stop, counts=self.counts)
        except Exception as error:
            self.error = error

    def events(self):
        return [event for _, event in self.archive.read()]

    def texts(self):
        return [event.text for event in self.events() if hasattr(event, "text")]

    def wait(self, is_so, timeout_s=10):
        end_s = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < end_s, (self.counts, self.error)
            assert self._thread.is_alive(), (self.counts, self.error)
            time.sleep(0.005)

    def wait_for(self, number, timeout_s=10):
        self.wait(lambda: self.archive.last_seq >= number, timeout_s)

    def end(self):
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextmanager
def following(path, name, **options):
    """Follow what a person would name, with the archive and the state in `path`."""
    with open_archive(path / "archive") as archive:
        source = open_live(name, path / "state", path / "archive")
        followed = Followed(archive, LiveSource(source.platform, **options) if options else source)
        try:
            yield followed
        finally:
            followed.end()
