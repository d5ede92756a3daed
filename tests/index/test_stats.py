"""What an index says about itself: what was kept out for a reason is not what had come before."""

import msgspec

from hubbub.index import open_index
from hubbub.posts import AccountEvent, Deletion, Edit
from tests.index.invented import invented_posts


def test_replays_do_not_read_like_loss(tmp_path):
    first, second, third, fourth, repost = invented_posts(5)
    repost = msgspec.structs.replace(repost, repost_of=first.id)
    events = [
        (1, first),
        (2, Deletion(id=second.id, received_us=1)),
        (3, second),  # deleted before it came
        (4, repost),
        (5, third),
        (6, Edit(post=third, replaces=third.id)),
        (7, AccountEvent(author=fourth.author, status="removed", received_us=1)),
        (8, fourth),
        (9, Deletion(id=first.id, received_us=1)),
    ]
    index = open_index(tmp_path, "none")
    index.fold(events)
    assert (index.stats().num_posts, index.stats().num_refused, index.stats().num_known) == (1, 3, 0)
    index.fold([(10, third), (11, third)])
    assert (index.stats().num_refused, index.stats().num_known) == (3, 2)
    index.fold(events[:6])  # the last version of the third post; the first one, whose deletion is known
    assert (index.stats().num_posts, index.stats().num_refused, index.stats().num_known) == (1, 5, 4)
    index.close()
