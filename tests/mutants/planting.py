"""Plants a bug in a copy of the package and runs tests against it; the checkout is only read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.mutants.planted import Mutant

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120.0
_PARTS = ("hubbub", "tests", "benchmarks", "docs")
_FAILED = 1  # of pytest: tests ran and some failed; anything above means that they did not run
Verdict = Literal["caught", "survived", "broken"]
"""`broken`: nothing ran, so it says nothing about the tests."""


class Copy:
    """A copy of the package, with one bug at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for part in _PARTS:
            # Bytecode comes along, for speed; of a file with a bug it is stale, and none is written here.
            shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("*.pyc.*"))
        shutil.copy(ROOT / "pyproject.toml", directory)

    def run(self, tests: tuple[str, ...]) -> Verdict:
        """Run tests until one fails."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "PYTHONPATH": str(self._directory), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=self._directory, env=environment, capture_output=True, timeout=TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            return "caught"
        if done.returncode > _FAILED:
            return "broken"
        return "caught" if done.returncode else "survived"

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[None]:
        """Have the bug in the copy for as long as it is asked."""
        path = self._directory / mutant.path
        sound = path.read_text("utf-8")
        if sound.count(mutant.was) != 1:
            raise LookupError(f"{mutant.path} holds {mutant.was!r} {sound.count(mutant.was)} times, not once")
        path.write_text(sound.replace(mutant.was, mutant.now), "utf-8")
        try:
            yield
        finally:
            path.write_text(sound, "utf-8")
