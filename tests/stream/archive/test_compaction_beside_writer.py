"""Compaction while events arrive: what it has not seen in time may not decide over what it sees later."""

import threading

from hubbub.posts import AccountEvent, ConsentEvent, Post
from hubbub.stream import open_archive


def test_a_post_behind_a_return_that_compaction_has_not_seen_stays_whole(tmp_path):
    is_over = threading.Event()
    num_authors = 0
    with open_archive(tmp_path, segment_bytes=200_000) as archive:

        def write():
            nonlocal num_authors
            while not is_over.is_set():
                num_authors += 1
                author, time_us = f"x://user/{num_authors}", num_authors
                archive.append(
                    [Post(id=f"x://first{num_authors}", author=author, text="", langs=("en",), received_us=1)]
                )
                archive.append([AccountEvent(author=author, status="removed", received_us=time_us)])
                archive.append([AccountEvent(author=author, status="restored", received_us=time_us)])
                archive.append([ConsentEvent(author=author, scope="index", allow=False, received_us=time_us)])
                archive.append([ConsentEvent(author=author, scope="index", allow=None, received_us=time_us)])
                archive.append(
                    [Post(id=f"x://{num_authors}", author=author, text="back", received_us=time_us)]
                )

        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(25):
            archive.compact(0)
        is_over.set()
        writer.join()
        archive.compact(0)
        texts = [
            event.text for _, event in archive.read() if isinstance(event, Post) and "first" not in event.id
        ]
    assert texts == ["back"] * num_authors
