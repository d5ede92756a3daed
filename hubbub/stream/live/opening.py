"""From what a person names to the live source of that platform."""

from __future__ import annotations

from pathlib import Path

from hubbub.errors import InvalidInput
from hubbub.stream.live.address import parse_address
from hubbub.stream.live.source import LiveSource, Platform

BLUESKY = (
    "wss://jetstream2.us-east.bsky.network/subscribe#also=jetstream1.us-east.bsky.network,"
    "jetstream2.us-west.bsky.network,jetstream1.us-west.bsky.network&appview=public.api.bsky.app"
)
"""Bluesky's own four public servers (bluesky-social/jetstream, README), and its AppView for everybody."""
_LIVE = ("wss://", "ws://", "mastodon://", "mastodon+http://", "x://", "x+http://")


def is_live(name: str) -> bool:
    """Whether a name means a platform; any other is a file."""
    return name == "bluesky" or name.startswith(_LIVE)


def open_live(name: str, state: Path, archive: Path | None = None) -> LiveSource:
    """Open a platform for following; nothing is connected yet.

    `state` is a directory for what a platform makes us remember besides the archive; `archive` is where the
    archive is, for sources that ask behind a gap what has become of stored posts.

    Raises:
        InvalidInput: the address is not one that can be followed; the message says why.
    """
    return LiveSource(_open_platform(name, state, archive))


def _open_platform(name: str, state: Path, archive: Path | None) -> Platform:
    address = parse_address(BLUESKY if name == "bluesky" else name)
    if address.path.endswith("com.atproto.label.subscribeLabels"):
        from hubbub.stream.live.labels import Labels

        return Labels(address)
    if address.scheme in ("wss", "ws"):
        from hubbub.stream.live.jetstream import Jetstream

        own_name = "bluesky" if name == "bluesky" else f"jetstream:{address.identity}"
        return Jetstream(address, own_name, state, archive)
    if address.scheme.startswith("mastodon"):
        from hubbub.stream.live.mastodon import Mastodon

        return Mastodon(address, state)
    if address.scheme in ("x", "x+http"):
        from hubbub.stream.live.x import X

        return X(address)
    raise InvalidInput(f"{name!r} is not a platform that can be followed")
