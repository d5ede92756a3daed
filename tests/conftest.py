"""What tests of several rooms need: small disks that are full, processes that start fast, enough workers."""

import gc
import importlib
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

# On a busy machine an example may take its time.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Started in the background of a script, we ignore interrupts, and so would processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Told to keep no bytecode, each of a hundred processes that tests start would compile the whole package anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Several workers and their processes share the cores; threads that spin for each other only take them away.
os.environ.setdefault("OMP_NUM_THREADS", "1")

LONG = (
    "tests/fleet/slurm/",
    "tests/fleet/test_launchers",
    "tests/fleet/",
    "tests/server/page/",
    "tests/train/test_r",
    "tests/index/",
    "tests/cli/",
    "tests/train/",
    "tests/model/",
    "tests/mutants/",
)
"""What takes long, the longest first."""


def pytest_xdist_auto_num_workers() -> int:
    """Tests wait for disks, clocks and browsers a third of their time: let another one work meanwhile."""
    return len(os.sched_getaffinity(0)) * 3 // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long (`--no-loadscope-reorder` keeps it so): no core is idle at the end."""
    items.sort(key=lambda item: next((n for n, each in enumerate(LONG) if item.nodeid.startswith(each)), 99))


def pytest_configure(config: pytest.Config) -> None:
    """Let each worker import another part of the tests first: what pytest rewrites is kept for all."""
    gc.disable()  # what is imported and collected is no garbage, and looking there takes a third of the time
    if worker := getattr(config, "workerinput", None):
        paths = sorted(Path(__file__).parent.rglob("test_*.py"))
        begin = int(worker["workerid"][2:]) * len(paths) // worker["workercount"]
        for path in paths[begin:] + paths[:begin]:
            with suppress(Exception, pytest.skip.Exception):  # told when it is collected
                importlib.import_module(".".join(path.relative_to(config.rootpath).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Let no later search for garbage go through the modules and the tests again."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture
def mount(tmp_path):
    """Mount a small file system in memory; skip where that is not allowed."""
    path = tmp_path / "disk"
    path.mkdir()

    def mounted(*options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "hubbub-test", str(path)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a file system needs more rights")

    yield path, mounted
    subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)


@pytest.fixture(scope="session")
def chromium():
    """One headless Chromium for all pages of a session."""
    for program in ("/usr/bin/chromium", "/usr/bin/chromedriver"):
        if not os.access(program, os.X_OK):
            pytest.skip(f"{program} is not installed; apt-get install chromium chromium-driver")
    from tests.server.browser import Browser

    browser = Browser()
    yield browser
    browser.close()
