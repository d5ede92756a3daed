"""The tenants of a running server: what each may still use, and who is switched off; it queues nobody."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping

import anyio

from hubbub.errors import HubbubError
from hubbub.server.caller import Caller
from hubbub.server.keys import NOBODY, Key, KeyRing
from hubbub.server.usage import Usage
from hubbub.web.wire import Refusal

LOOK_S = 0.25
"""How often the file is looked at for the sake of what is open: a stop ends streams within a second."""
_MINUTE_S = 60.0

log = logging.getLogger("hubbub.server")


class Tenants:
    """What the file of keys says, applied; without a ring there is only the page, which may do everything."""

    def __init__(self, ring: KeyRing | None = None, usage: Usage | None = None) -> None:
        self.ring = ring
        self.usage = usage or Usage()
        self._pace = Pace()

    def admit(self, key: Key | None) -> Caller:
        """Count a request of a key, or of nobody's, and tell for whom it is.

        Raises:
            Refusal: the tenant is switched off, or the key or its tenant has asked too often.
        """
        tenant = key.tenant if key else NOBODY
        self.usage.note(tenant, num_requests=1)
        if self.ring is None:
            return Caller()
        settings = self.ring.tenant(tenant)
        who = Caller(
            tenant=tenant,
            key=key.id if key else None,
            scopes=key.scopes if key else Caller().scopes,
            priority=settings.priority,
            rules=settings.house_rules,
        )
        self.check(who)
        rates = {f"key {key.id}": key.per_minute} if key else {}
        if settings.requests_per_minute is not None:
            rates[f"tenant {tenant}"] = settings.requests_per_minute
        wait_s = self._pace.wait_s(rates)
        if wait_s:
            said = f"{min(rates.values())} requests a minute are taken; wait {math.ceil(wait_s)} s"
            raise self.refused(who, Refusal(429, said, code="rate_limited", retry_after_s=math.ceil(wait_s)))
        return who

    def check(self, who: Caller, *, is_answer: bool = False) -> None:
        """Make sure that someone may go on.

        Raises:
            Refusal: the operator has switched it off, or revoked its key.
        """
        if refusal := self.find_stop(who, is_answer=is_answer):
            raise self.refused(who, refusal)

    def find_stop(self, who: Caller, *, is_answer: bool) -> Refusal | None:
        """Return why someone may not go on, if so."""
        if self.ring is None:
            return None
        if who.key and not self.ring.is_valid(who.key):
            return Refusal(401, "this key is unknown or revoked", code="invalid_api_key")
        off = ("answers", "all") if is_answer else ("all",)
        what = "answers are" if is_answer else "the API is"
        if self.ring.stopped in off:
            return Refusal(503, f"{what} switched off for now", code="switched_off", retry_after_s=60)
        if self.ring.tenant(who.tenant).stopped in off:
            return Refusal(403, f"{what} switched off for this tenant", code="switched_off")
        return None

    def check_streams(self, who: Caller, num_open: int) -> None:
        """Make sure that someone may open one more stream.

        Raises:
            Refusal: as many are open as its tenant may have.
        """
        most = self.ring.tenant(who.tenant).streams if self.ring else None
        if most is not None and num_open >= most:
            said = f"{most} streams of this tenant are open; close one or try again soon"
            raise self.refused(who, Refusal(429, said, code="too_many_streams", retry_after_s=5))

    def check_tokens(self, who: Caller) -> None:
        """Make sure that someone has tokens left today; what is being written may still exceed them.

        Raises:
            Refusal: they are used up.
        """
        most = self.ring.tenant(who.tenant).tokens_per_day if self.ring else None
        if most is not None and self.usage.today(who.tenant).num_tokens >= most:
            said = f"the {most:,} tokens of this day are used up; the next begins at 00:00 UTC"
            refusal = Refusal(429, said, code="insufficient_quota", retry_after_s=self.usage.day_left_s)
            raise self.refused(who, refusal)

    def refused(self, who: Caller, refusal: Refusal) -> Refusal:
        """Count a refusal and return it."""
        self.usage.note(who.tenant, num_refused=1)
        return refusal

    async def run(self, obey: Callable[[], None]) -> None:
        """Call `obey` soon after each change of the file, until cancelled."""
        seen = None
        while self.ring is not None:
            try:
                if seen != self.ring.stamp:
                    seen = self.ring.stamp
                    obey()
            except HubbubError as error:  # every request is told; what is open goes on as before
                log.error("%s", error)
            await anyio.sleep(LOOK_S)


class Pace:
    """Buckets of requests, filled evenly and holding a minute's worth (token buckets)."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, rates: Mapping[str, int], now_s: float | None = None) -> float:
        """Take one of each bucket; return 0, or for how long to wait if one is empty, and then take none.

        `rates` are how much a minute fills each bucket with.
        """
        now_s = time.monotonic() if now_s is None else now_s
        wait_s = 0.0
        for name, per_minute in rates.items():
            left, at_s = self._left.get(name, (float(per_minute), now_s))
            left = min(per_minute, left + (now_s - at_s) * per_minute / _MINUTE_S)
            self._left[name] = left, now_s
            if left < 1:
                wait_s = max(wait_s, (1 - left) * _MINUTE_S / per_minute if per_minute else _MINUTE_S)
        if not wait_s:
            for name in rates:
                left, at_s = self._left[name]
                self._left[name] = left - 1, at_s
        return wait_s
