"""Worlds are opened by tests and closed after them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubbub.posts import Event
from tests.assistant.world import World


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Open a world that holds the given events."""
    opened: list[World] = []

    def open_(*events: Event) -> World:
        opened.append(World(tmp_path / f"world{len(opened)}", *events))
        return opened[-1]

    yield open_
    for world in opened:
        world.index.close()
