from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from hubbub.server.app import create_app
from hubbub.web.run import serve_in_thread
from tests.server.small_house import SmallHouse, flood


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    house = SmallHouse(tmp_path / "index")
    house.add(*flood())
    yield house
    house.close()


@pytest.fixture
def url(house: SmallHouse) -> Iterator[str]:
    with serve_in_thread(create_app(house)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def standing_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that no test changes; starting one for each would take most of the time."""
    house = SmallHouse(tmp_path_factory.mktemp("standing"))
    house.add(*flood())
    with serve_in_thread(create_app(house)) as url:
        yield url
    house.close()


@pytest.fixture(scope="session")
def reader(standing_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=standing_url, timeout=10, trust_env=False) as client:
        yield client
