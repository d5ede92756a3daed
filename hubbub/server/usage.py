"""What each tenant has used, day by day, kept in a small file beside the keys; it refuses nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from hubbub.errors import Corruption
from hubbub.server.keys import write_whole
from hubbub.units import US_PER_DAY, US_PER_S, format_time, now_us

USAGE_FILE = "usage.json"
KEPT_DAYS = 31
SAVE_S = 2.0
"""What was used may be forgotten for so long by a kill; written by a thread, and only where it changed."""
_BYTES_PER_TOKEN = 4

log = logging.getLogger("hubbub.server")


class Spent(msgspec.Struct, kw_only=True):
    """What was used in some time."""

    num_requests: int = 0
    num_refused: int = 0
    """For want of a scope, a quota or a place, or because of a stop."""
    num_answers: int = 0
    num_tokens_in: int = 0
    num_tokens_out: int = 0
    work_s: float = 0.0
    """Time for which threads wrote its answers and looked things up."""

    @property
    def num_tokens(self) -> int:
        """All tokens."""
        return self.num_tokens_in + self.num_tokens_out

    def add(self, **more: float) -> None:
        """Add to fields."""
        for name, number in more.items():
            setattr(self, name, getattr(self, name) + number)


class Usage:
    """The counts of one server since its start, and by days of UTC also from before."""

    def __init__(self, directory: Path | None = None, clock: Callable[[], int] = now_us) -> None:
        """Read what was kept; without a directory nothing is.

        Raises:
            Corruption: the file is damaged.
        """
        self.since_start: dict[str, Spent] = {}
        self._path = directory / USAGE_FILE if directory else None
        self._clock = clock
        self._days: dict[str, dict[str, Spent]] = self._read()
        self._is_changed = False

    def note(self, tenant: str, **more: float) -> None:
        """Count something; the names are those of `Spent`."""
        self.since_start.setdefault(tenant, Spent()).add(**more)
        self._days.setdefault(self.day, {}).setdefault(tenant, Spent()).add(**more)
        self._is_changed = True

    @property
    def day(self) -> str:
        """Today, as 2026-11-22."""
        return format_time(self._clock())[:10]

    def today(self, tenant: str) -> Spent:
        """Return what a tenant has used today."""
        return self._days.get(self.day, {}).get(tenant) or Spent()

    @property
    def day_left_s(self) -> int:
        """Seconds until the next day begins, rounded up."""
        return math.ceil((US_PER_DAY - self._clock() % US_PER_DAY) / US_PER_S)

    async def run(self) -> None:
        """Save from time to time and once more when cancelled."""
        try:
            while True:
                await anyio.sleep(SAVE_S)
                await self._save()
        finally:
            with anyio.CancelScope(shield=True):
                await self._save()

    async def _save(self) -> None:
        if not self._is_changed or self._path is None:
            return
        self._is_changed = False
        self._days = dict(sorted(self._days.items())[-KEPT_DAYS:])
        content = msgspec.json.encode(self._days)
        try:
            await anyio.to_thread.run_sync(write_whole, self._path, content)
        except OSError as error:  # answers go on; what was used is only at risk
            self._is_changed = True
            log.error("usage %r cannot be written: %s", str(self._path), error)

    def _read(self) -> dict[str, dict[str, Spent]]:
        try:
            content = self._path.read_bytes() if self._path else b"{}"
            return msgspec.json.decode(content, type=dict[str, dict[str, Spent]])
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            raise Corruption(f"usage {str(self._path)!r}: {error}; restore the file, or remove it") from None


def count_tokens(text: str) -> int:
    """Estimate tokens as four bytes each: without a model there is no tokenizer to count by."""
    return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)
