"""The open event streams of one house: whose they are, and who may open one more."""

from __future__ import annotations

import anyio

from hubbub.server.caller import Caller, caller
from hubbub.server.keys import FIRST
from hubbub.server.tenants import Tenants
from hubbub.web.streams import Stop, Streams
from hubbub.web.wire import Refusal

_KEPT = 8
"""One stream of so many is kept for the first."""


class HouseStreams(Streams):
    """The open event streams by tenant; one that is switched off loses its own."""

    def __init__(self, max_streams: int, send_timeout_s: float, tenants: Tenants | None = None) -> None:
        super().__init__(max_streams, send_timeout_s)
        self._tenants = tenants or Tenants()
        self._who: dict[anyio.CancelScope, Caller] = {}

    def check_room(self, *, num_kept: int = 0) -> None:
        """Refuse one more stream where too many are open, of this tenant or of all.

        Raises:
            Refusal: that is so, or the server is leaving.
        """
        who = caller()
        self._tenants.check_streams(who, self.num_open_of(who.tenant))
        try:
            super().check_room(num_kept=self.max_streams // _KEPT if who.priority > FIRST else num_kept)
        except Refusal as refusal:
            raise self._tenants.refused(who, refusal) from None

    def obey(self) -> None:
        """End the streams of those whom the operator has switched off."""
        for scope, stop in list(self._open.items()):
            if refusal := self._tenants.find_stop(self._who[scope], is_answer=False):
                stop(refusal)

    def enter(self, scope: anyio.CancelScope, stop: Stop | None = None) -> None:
        """Count a stream of the caller in."""
        self._who[scope] = caller()
        super().enter(scope, stop)

    def leave(self, scope: anyio.CancelScope) -> None:
        """Count a stream out."""
        super().leave(scope)
        self._who.pop(scope, None)

    def num_open_of(self, tenant: str) -> int:
        """Count a tenant's open streams."""
        return sum(who.tenant == tenant for who in self._who.values())
