"""Run the benchmarks that need no data of yours, then name the others."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

NEED_NO_DATA = ("archive", "archive_crash", "index_crash", "house_crash", "live_feed", "resume", "schedules")


def main() -> None:
    for name in NEED_NO_DATA:
        print(f"\n== {_claim(name)}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
    print("\nThese need posts or questions as arguments (--help says which):")
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if "ArgumentParser(" in path.read_text() and path.stem not in (*NEED_NO_DATA, "__main__"):
            print(f"  python -m benchmarks.{path.stem:16} {_claim(path.stem)}")


def _claim(name: str) -> str:
    return (importlib.import_module(f"benchmarks.{name}").__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    main()
