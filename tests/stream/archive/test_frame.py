import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.posts import Deletion
from hubbub.stream.archive.frame import (
    HEADER_BYTES,
    decode_block,
    decode_cursors,
    encode_frame,
    parse_header,
)

sources = st.text(max_size=400)
cursors = st.dictionaries(sources, sources, max_size=20)


@settings(max_examples=200)
@given(cursors, st.integers(0, 40))
def test_cursors_are_read_without_the_events(given_cursors, num_events):
    events = [Deletion(id=f"x://status/{n}", received_us=n) for n in range(num_events)]
    try:
        data = encode_frame(events, given_cursors, 1, 0)
    except ValueError:
        return
    frame = parse_header(data)
    payload = data[HEADER_BYTES:]
    assert decode_cursors(frame, payload) == given_cursors == decode_block(frame, payload).cursors


@pytest.mark.parametrize("length", [0, 1, 31, 32, 255, 256, 70_000])
def test_a_cursor_of_any_length_is_read_whole(length):
    given_cursors = {"wss://host": "c" * length, "other": "1"}
    data = encode_frame([], given_cursors, 1, 0)
    assert decode_cursors(parse_header(data), data[HEADER_BYTES:]) == given_cursors
