"""What a person names to follow a platform, taken apart; which platform it is, is decided in `opening.py`."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import msgspec

from hubbub.errors import InvalidInput
from hubbub.stream.live.link import DEAD_S

_PLAIN = {"ws": "wss", "mastodon+http": "mastodon", "x+http": "x"}
"""For tests on this machine only, see `parse_address`; and what to use instead."""
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """An address, without the parts that are for us."""

    scheme: str
    host: str
    port: int
    path: str
    query: tuple[tuple[str, str], ...]
    """What goes to the platform, without a cursor."""
    options: dict[str, str]
    """What stands behind #: for us, never sent."""
    start: str | None
    """Where to begin if nothing was read yet: the `cursor` of the address."""
    is_tls: bool

    def at(self, host: str) -> Address:
        """Return the same place on another host, given as `HOST` or `HOST:PORT`.

        Raises:
            InvalidInput: that is no host, or would not be encrypted.
        """
        scheme = self.scheme if self.scheme in ("ws", "wss") else "wss"
        other = parse_address(f"{scheme}://{host}")
        return msgspec.structs.replace(self, host=other.host, port=other.port)

    def seconds(self, option: str, default: float) -> float:
        """Return an option that is a number of seconds. Raises InvalidInput: it is none."""
        text = self.options.get(option)
        try:
            return default if text is None else max(0.001, float(text))
        except ValueError:
            raise InvalidInput(f"#{option}={text!r} is not a number of seconds") from None

    @property
    def dead_s(self) -> float:
        """Return after how many seconds without a sign of life a connection is dead (`#quiet`)."""
        return self.seconds("quiet", DEAD_S)

    @property
    def netloc(self) -> str:
        """Host, and port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    @property
    def http_origin(self) -> str:
        """Where requests go."""
        return f"{'https' if self.is_tls else 'http'}://{self.netloc}"

    @property
    def websocket_origin(self) -> str:
        """Where WebSockets are opened."""
        return f"{'wss' if self.is_tls else 'ws'}://{self.netloc}"

    @property
    def identity(self) -> str:
        """Under this the cursor is kept: host, path and filters, which stay the same from run to run."""
        query = "&".join(f"{key}={value}" for key, value in sorted(self.query))
        return f"{self.netloc}{self.path}" + (f"?{query}" if query else "")


def parse_address(text: str) -> Address:
    """Take an address apart.

    Raises:
        InvalidInput: it has no host, a password, or would send posts and tokens unencrypted over the network.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not an address: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "an address must not hold a password or token: everybody can read it in `ps`; "
            "put the token into the environment, see README, Connect it"
        )
    is_tls = parts.scheme not in _PLAIN
    if not host and parts.scheme != "x":
        raise InvalidInput(f"{text!r} names no host; write it behind the {parts.scheme}://")
    if not is_tls and host not in _LOCAL:
        raise InvalidInput(f"{text!r} is not encrypted; use {_PLAIN[parts.scheme]}:// or another host")
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "cursor"]
    starts = [value for key, value in parse_qsl(parts.query) if key == "cursor"]
    return Address(
        scheme=parts.scheme,
        host=host,
        port=port or (443 if is_tls else 80),
        path=parts.path,
        query=tuple(query),
        options=dict(parse_qsl(parts.fragment, keep_blank_values=True)),
        start=starts[-1] if starts else None,
        is_tls=is_tls,
    )
