"""Every console block of the documents is run and its output compared; `make docs` writes it in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hubbub.sample import sample_path

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "docs/quickstart.md", "docs/fleet.md"]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def run_block(block: str, directory: Path) -> str:
    """Run each `$ command` of a block and return the block with the output that came."""
    lines = []
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HUBBUB_")}
        environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}
        done = subprocess.run(
            line[2:], shell=True, cwd=directory, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        lines += [line, *done.stdout.splitlines()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


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
