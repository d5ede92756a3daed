"""What every verb of `hubbub train` does around its loop: an archive's deletions, live; it trains nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from hubbub.errors import MissingExtra

archive_option = click.option(
    "--archive", type=click.Path(path_type=Path, exists=True), help="Honour its deletions live."
)
_FOLLOWED = "HUBBUB_DELETIONS_FOLLOWED"


def trainer(module: str, name: str, extra: str = "train") -> Callable[..., Any]:
    """Import something of `hubbub.train`.

    Raises:
        MissingExtra: a package for it is not installed.
    """
    try:
        found: Callable[..., Any] = getattr(import_module(f"hubbub.train.{module}"), name)
        return found
    except ModuleNotFoundError as error:
        raise MissingExtra(f"training needs {error.name!r}; run: pip install 'hubbub[{extra}]'") from None


@contextmanager
def deletions(archive: Path | None, corpus: Path) -> Iterator[None]:
    """Fold an archive's deletions into the corpus before and while the block trains on it.

    Of several ranks the first does it, or the process that starts them all. When that fails, the training is
    asked to save and leave, and the failure is what is told.
    """
    if archive is None or os.environ.get("RANK", "0") != "0" or _FOLLOWED in os.environ:
        yield
        return
    from hubbub.cli.corpus import open_events
    from hubbub.corpus.deletions import catch_up_deletions, follow_deletions

    stop = threading.Event()
    failures: list[BaseException] = []

    def follow() -> None:
        try:
            follow_deletions(corpus, opened, stop)
        except BaseException as error:
            failures.append(error)
            os.kill(os.getpid(), signal.SIGINT)

    with open_events(str(archive)) as opened:
        catch_up_deletions(corpus, opened)
        thread = threading.Thread(target=follow, name="deletions")
        thread.start()
        os.environ[_FOLLOWED] = "1"
        try:
            yield
        finally:
            del os.environ[_FOLLOWED]
            stop.set()
            thread.join()
            if failures:
                raise failures[0]
