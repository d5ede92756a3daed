"""A spill gives back what was put, bucket by bucket, in order, and says so when it is damaged."""

import pytest

from hubbub.corpus.spill import BUCKETS, SpillReader, SpillWriter
from hubbub.errors import Corruption, StorageError


def test_buckets_keep_their_records_in_order(tmp_path):
    with SpillWriter(tmp_path / "a.spill") as spill:
        for number in range(20_000):
            spill.put(number * number % BUCKETS, number)
        assert not (tmp_path / "a.spill").exists(), "it has its name before it is whole"
    reader = SpillReader(tmp_path / "a.spill", int)
    for bucket in range(BUCKETS):
        expected = [number for number in range(20_000) if number * number % BUCKETS == bucket]
        assert list(reader.read(bucket)) == expected and reader.counts[bucket] == len(expected)


def test_what_fails_leaves_no_spill(tmp_path):
    with pytest.raises(ZeroDivisionError), SpillWriter(tmp_path / "a.spill") as spill:
        spill.put(0, 1 // 0)
    with pytest.raises(StorageError, match="a.index"):
        SpillReader(tmp_path / "a.spill", int)


def test_a_flipped_bit_is_named_wherever_it_is(tmp_path):
    path = tmp_path / "a.spill"
    with SpillWriter(path) as spill:
        spill.put(3, "the river rises in the village tonight")
    whole = path.read_bytes()
    reader = SpillReader(path, str)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Corruption, match=f"delete '{tmp_path}'"):
            list(reader.read(3))
