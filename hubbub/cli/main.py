"""The command `hubbub`: its verbs and what each exit code means; every verb lives in its own file.

Exit codes: 0 done, 1 failed, 2 misuse (a wrong flag or input), 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

import hubbub
from hubbub.cli.lazy import LazyVerbs
from hubbub.errors import HubbubError, InvalidInput

VERBS = {
    "ask": "Ask what is happening; every sentence of the answer quotes a living post.",
    "corpus": "Build a training corpus from an archive, and keep deletions out of it.",
    "deletions": "Show what became of each deletion, and by when its text has left the disk.",
    "demo": "See it work on the bundled flood night of an invented town.",
    "fleet": "Share one fleet of GPUs among tenants: simulate, explain, start, carry through failures.",
    "follow": "Read posts from files, pipes and platforms into the archive and the index.",
    "index": "Look into the index, rebuild it, or teach it the words of your own stream.",
    "keys": "Make, list and revoke the keys of those who ask from elsewhere.",
    "model": "Look at a trained model, let it write, export it, prove its exports equal.",
    "plan": "Predict training runs on any cluster, with bands; checked against published runs.",
    "search": 'Find posts: words, from:, since:, until:, lang:, "phrase", -word, #tag.',
    "status": "Show how the sources and the index are doing.",
    "tenants": "Limit, rank, tune and stop those who have keys.",
    "train": "Train a model on a corpus: resumes, honours deletions, exports.",
    "trends": "Show what is rising above its own past, each with a living quote.",
    "watch": "Wait for something new about a topic, and print it as it comes.",
    "serve": "Open the page: ask, see posts arrive, click a quote.",
}


@click.group(
    cls=LazyVerbs,
    files={name: (name, told) for name, told in VERBS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(hubbub.__version__, prog_name="hubbub")
def hubbub_command() -> None:
    """Ask what is happening on your platform; every sentence of an answer quotes a living post."""


def main() -> NoReturn:
    """Run the command line and leave with its exit code; a request to terminate closes everything first."""
    was_asked = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal was_asked
        was_asked = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    code = run(sys.argv[1:])
    if was_asked:  # and then it dies of it, as service managers expect
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = hubbub_command.main(arguments, prog_name="hubbub", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except HubbubError as error:
        click.echo(f"hubbub: {error}", err=True)
        return 2 if isinstance(error, InvalidInput) else 1
    except SystemExit:  # click's, when the reader of the output has seen enough
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of the output can go nowhere
        click.echo("hubbub: the disk that the output goes to is full; free some space", err=True)
        return 1
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
