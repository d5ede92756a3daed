"""Every console block of the documents is run and its output compared; `make docs` writes it in."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from hubbub.cli.main import run
from hubbub.sample import sample_path

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "docs/quickstart.md", "docs/fleet.md"]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def run_block(block: str, directory: Path) -> str:
    """Run each `$ command` of a block and return the block with the output that came."""
    lines = []
    with chdir(directory), pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("HUBBUB_")]:
            environment.delenv(name)
        environment.setenv("COLUMNS", "100")
        environment.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        for line in block.splitlines():
            if line.startswith("$ "):
                code, out, err = run_line(line[2:])
                assert code == 0, f"{line}\n{out}{err}"
                lines += [line, *out.splitlines()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def run_line(line: str) -> tuple[int, str, str]:
    """Run `hubbub ...` here, as its start takes most of the time, and what has a pipe in a shell."""
    if "|" in line:
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr
    program, *arguments = shlex.split(line)
    assert program == "hubbub", line
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


def rerun(document: str, directory: Path) -> tuple[str, str]:
    """Return the document as it stands and as it would stand with the output of today."""
    shutil.copy(sample_path(), directory / "flood.ndjson")
    text = (ROOT / document).read_text()
    return text, BLOCK.sub(lambda match: f"```console\n{run_block(match[1], directory)}```", text)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_console_blocks_print_what_they_say(document, tmp_path):
    stands, prints = rerun(document, tmp_path)
    assert stands == prints


@pytest.mark.parametrize("document", [*DOCUMENTS, "CONTRIBUTING.md", "docs/index.md", "docs/invariants.md"])
def test_links_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


if __name__ == "__main__":
    import tempfile

    for name in DOCUMENTS:
        with tempfile.TemporaryDirectory() as scratch:
            (ROOT / name).write_text(rerun(name, Path(scratch))[1])
