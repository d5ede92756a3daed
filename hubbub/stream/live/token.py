"""Finds a platform's token in the environment; flags and addresses can be read by everybody in `ps`."""

from __future__ import annotations

import os
import re

from hubbub.errors import InvalidInput


def read_token(platform: str, host: str) -> str | None:
    """Return `HUBBUB_<PLATFORM>_TOKEN_<HOST>`, else `HUBBUB_<PLATFORM>_TOKEN`; None if neither is set.

    The host is written in capitals, with _ for everything that is neither letter nor digit.

    Raises:
        InvalidInput: what is set cannot be a token.
    """
    name = f"HUBBUB_{platform.upper()}_TOKEN"
    own = f"{name}_{re.sub('[^A-Z0-9]', '_', host.upper())}"
    token = (os.environ.get(own) or os.environ.get(name) or "").strip()
    if not token.isascii() or not token.isprintable():
        raise InvalidInput(
            f"{name} holds what no token does: letters beyond ASCII or a line break; set it anew"
        )
    return token or None
