"""The names that the stream room offers; growing the list is a deliberate change."""

import hubbub.stream


def test_the_list_is_this_one():
    assert hubbub.stream.__all__ == [
        "FORMATS",
        "Archive",
        "Batch",
        "CompactionReport",
        "Counts",
        "NdjsonSource",
        "Repair",
        "ReplayClock",
        "ReplaySource",
        "Source",
        "follow",
        "open_archive",
        "read_ndjson",
    ]
    assert hubbub.stream.FORMATS == ("hubbub", "jetstream", "mastodon", "x1", "x2")
    assert all(hasattr(hubbub.stream, name) for name in hubbub.stream.__all__)
