"""A moment of broken frames for every decoder and connection; ten minutes each are `benchmarks/fuzz.py`."""

import pytest

from benchmarks.fuzz import fuzz
from benchmarks.fuzz_targets import TARGETS
from hubbub.stream.live.link import Disconnected
from hubbub.stream.live.sse import SseEvents


@pytest.mark.parametrize("name", TARGETS)
def test_broken_frames_do_no_harm(name):
    fuzzer = fuzz(name, 0.3, 7)
    assert fuzzer.faults == {}
    assert fuzzer.numbers["inputs"] > 20


class Endless:
    """An HTTP answer of one event that never ends."""

    def receive(self, timeout_s):
        return [b"data: " + b"x" * 1_000_000] * 4


def test_an_event_that_never_ends_breaks_the_connection():
    events = SseEvents(Endless())
    with pytest.raises(Disconnected, match="more than"):
        for _ in range(100):
            assert events.receive(1.0) == []
