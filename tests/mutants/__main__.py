"""Plant every bug in turn and say which are caught.

python -m tests.mutants [WORD...]    # only those whose name holds one of the words
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import show
from tests.mutants.planted import MUTANTS
from tests.mutants.planting import Copy


def main(words: list[str]) -> None:
    """Print one row a bug; exits 1 if one was not caught."""
    rows = []
    if not any(word in mutant.name for mutant in MUTANTS for word in words or [""]):
        sys.exit(f"no planted bug's name holds any of {words}")
    with tempfile.TemporaryDirectory(prefix="hubbub-mutants-") as directory:
        copy = Copy(Path(directory))
        for mutant in MUTANTS:
            if not words or any(word in mutant.name for word in words):
                began_s = time.perf_counter()
                with copy.planted(mutant):
                    verdict = copy.run(mutant.tests)
                rows.append({"bug": mutant.name, "verdict": verdict, "s": time.perf_counter() - began_s})
                print(f"{verdict:9} {mutant.name}", file=sys.stderr, flush=True)
    show(rows, False)
    sys.exit(any(row["verdict"] != "caught" for row in rows))


if __name__ == "__main__":
    main(sys.argv[1:])
