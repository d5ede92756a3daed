"""Live platforms: one file each, over connections that are made again whenever they break."""

from hubbub.stream.live.opening import is_live, open_live
from hubbub.stream.live.source import LiveSource

__all__ = ["LiveSource", "is_live", "open_live"]
