from __future__ import annotations

import pytest

from hubbub.posts import Post
from hubbub.server.thread import MAX_ABOVE, read_thread
from tests.server.small_house import SmallHouse, make_post


def chain(length: int) -> list[Post]:
    """Posts that each reply to the one before."""
    first = make_post(100, "Part 0", id="x://status/0")
    return [
        first,
        *(
            make_post(
                100 + n, f"Part {n}", id=f"x://status/{n}", root=first.id, reply_to=f"x://status/{n - 1}"
            )
            for n in range(1, length)
        ),
    ]


@pytest.mark.parametrize("length", [1, 2, MAX_ABOVE, MAX_ABOVE + 10])
def test_the_way_to_the_root_is_read_in_order(house: SmallHouse, length: int) -> None:
    posts = chain(length)
    house.add(*posts)
    thread = read_thread(house.index, posts[-1])
    assert thread is not None
    numbers = [int(post.id.rpartition("/")[2]) for post in thread.above]
    assert numbers == sorted(numbers) and (0 in numbers or length == 1)
    assert len(numbers) == min(length - 1, MAX_ABOVE + 2) and thread.num_missing == 0


def test_posts_that_reply_in_a_circle_end(house: SmallHouse) -> None:
    one, two = "x://status/1", "x://status/2"
    posts = [make_post(101, "One", id=one, reply_to=two), make_post(102, "Two", id=two, reply_to=one)]
    house.add(*posts, narcissus := make_post(103, "Me", id="x://status/3", reply_to="x://status/3"))
    assert [post.id for post in read_thread(house.index, posts[0]).above] == [two]
    assert read_thread(house.index, narcissus).above == ()


def test_a_broken_chain_still_names_its_root(house: SmallHouse) -> None:
    posts = chain(4)
    house.add(*posts)
    house.delete("x://status/1")
    thread = read_thread(house.index, posts[3])
    assert [post.id for post in thread.above] == ["x://status/0", "x://status/2"]
    assert thread.num_missing == 1
    house.delete("x://status/3")
    assert read_thread(house.index, posts[3]) is None
