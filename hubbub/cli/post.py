"""How one post looks in a terminal; text that strangers wrote is made inert first."""

from __future__ import annotations

import shutil
import textwrap

from hubbub.assistant.display import isolated, safe_url
from hubbub.assistant.write import wording
from hubbub.posts import Post


def format_post(post: Post, now_us: int) -> str:
    """Lay out who, when, what and where, wrapped to the terminal's width."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    who = f"@{isolated(post.handle)}" if post.handle else isolated(post.name or post.author)
    age = wording("en").age(max(now_us - post.received_us, 0))
    lines = textwrap.wrap(isolated(post.text), width, initial_indent="  ", subsequent_indent="  ")
    url = safe_url(post.url)
    return "\n".join([f"{who}, {age}", *lines, *([f"  {url}"] if url else [])])
