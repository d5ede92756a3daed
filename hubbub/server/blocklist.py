"""The operator's block list, which may change while the house is open; it blocks nobody itself."""

from __future__ import annotations

import logging
import os

from hubbub.config import Config, read_block_list
from hubbub.errors import InvalidInput
from hubbub.posts import AuthorId

_log = logging.getLogger("hubbub.server")


class BlockList:
    """Reads the file that the setting `blocked` names whenever it has changed."""

    def __init__(self, config: Config) -> None:
        """Read it.

        Raises:
            InvalidInput: there is no such file, or it is not text.
        """
        self._config = config
        self._stamp = self._look()
        self.authors: frozenset[AuthorId] = read_block_list(config)

    def reread(self) -> frozenset[AuthorId]:
        """Return whom a change of the file blocked or let go; a file that cannot be read changes nothing."""
        stamp = self._look()
        if stamp == self._stamp:
            return frozenset()
        self._stamp, before = stamp, self.authors
        try:
            self.authors = read_block_list(self._config)
        except InvalidInput as error:
            _log.warning("%s; until then the list as it was holds", error)
        return before ^ self.authors

    def _look(self) -> tuple[int, ...]:
        try:
            found = os.stat(self._config.blocked)
        except OSError:  # no such setting, or no such file
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino
