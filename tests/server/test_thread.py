from __future__ import annotations

import httpx2
import pytest

from hubbub.posts import AccountEvent, ConsentEvent, Edit, Post
from hubbub.server.thread import MAX_ABOVE, MAX_BELOW, MAX_LEVELS, read_thread
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


def shown_below(house: SmallHouse, post: Post, for_prompt: bool = False) -> list[int]:
    thread = read_thread(house.index, post, for_prompt)
    assert thread is not None
    return [int(reply.id.rpartition("/")[2]) for reply in thread.below]


def reply(number: int, to: int, **fields: object) -> Post:
    reply_to = f"x://status/{to}"
    return make_post(100 + number, f"Part {number}", id=f"x://status/{number}", reply_to=reply_to, **fields)


def test_replies_stand_below_what_they_answer_the_oldest_first(house: SmallHouse) -> None:
    root = chain(1)[0]
    house.add(root, reply(1, 0), reply(2, 0), reply(3, 1), reply(4, 3), reply(5, 1), reply(6, 2))
    assert shown_below(house, root) == [1, 3, 4, 5, 2, 6]
    assert shown_below(house, reply(1, 0)) == [3, 4, 5]


def test_replies_that_may_not_be_shown_are_not(house: SmallHouse) -> None:
    root = chain(1)[0]
    posts = [reply(n, 0) for n in range(1, 6)]
    house.add(root, *posts, reply(6, 1))
    house.add(
        AccountEvent(author=posts[1].author, status="suspended", received_us=1),
        ConsentEvent(author=posts[2].author, scope="prompt", allow=False, received_us=1),
        ConsentEvent(author=posts[3].author, scope="index", allow=False, received_us=1),
    )
    assert shown_below(house, root) == [1, 6, 3, 5]
    assert shown_below(house, root, for_prompt=True) == [1, 6, 5]
    house.delete("x://status/1")
    assert shown_below(house, root) == [3, 5]


def test_a_storm_of_replies_is_cut(house: SmallHouse) -> None:
    root = chain(1)[0]
    house.add(root, *(reply(n, 0) for n in range(1, MAX_BELOW + 10)))
    assert shown_below(house, root) == list(range(10, MAX_BELOW + 10))
    assert read_thread(house.index, root).has_more_below


def test_a_long_chain_is_cut_and_says_so(house: SmallHouse) -> None:
    posts = chain(MAX_LEVELS + 2)
    house.add(*posts)
    assert shown_below(house, posts[0]) == list(range(1, MAX_LEVELS + 1))
    assert read_thread(house.index, posts[0]).has_more_below
    assert not read_thread(house.index, posts[1]).has_more_below


def test_an_edit_that_answers_another_post_moves(house: SmallHouse) -> None:
    root = chain(1)[0]
    house.add(root, reply(1, 0), reply(2, 0), Edit(post=reply(2, 1), replaces="x://status/2"))
    assert shown_below(house, root) == [1, 2]
    assert shown_below(house, reply(1, 0)) == [2]


def test_the_post_view_shows_the_thread_where_it_is_asked_for(
    house: SmallHouse, client: httpx2.Client
) -> None:
    root = chain(1)[0]
    house.add(root, reply(1, 0))
    assert set(client.get("/api/post", params={"id": root.id}).json()) == {"post"}
    body = client.get("/api/post", params={"id": root.id, "thread": "true"}).json()
    assert [post["id"] for post in body["thread"]["below"]] == ["x://status/1"]
    assert not body["thread"]["is_below_unsure"]
