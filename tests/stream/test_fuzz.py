"""A second of broken frames for every decoder and connection; ten minutes each are `benchmarks/fuzz.py`."""

import pytest

from benchmarks.fuzz import fuzz
from benchmarks.fuzz_targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_broken_frames_do_no_harm(name):
    fuzzer = fuzz(name, 1.0, 7)
    assert fuzzer.faults == {}
    assert fuzzer.numbers["inputs"] > 20
