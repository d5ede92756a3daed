"""The harness that times deletions knows every route that shows posts, and finds nothing after a deletion."""

import argparse

from benchmarks.deletion import measure_surfaces
from benchmarks.deletion_surfaces import SURFACES, WITHOUT_POSTS
from hubbub.server.app import API


def test_every_route_of_the_api_is_watched_or_shows_no_posts():
    watched = {surface.route for surface in SURFACES}
    assert watched | WITHOUT_POSTS.keys() == API.keys()
    assert not watched & WITHOUT_POSTS.keys()


def test_a_deleted_post_is_seen_to_go_from_every_surface():
    options = argparse.Namespace(seconds=0.1, rate=20, deletions=2, open=1, warm_up=0.5)
    rows = measure_surfaces(options)
    assert [row["surface"] for row in rows] == [*(surface.name for surface in SURFACES), "all"]
    assert all(row["number"] for row in rows)
    assert all(row["leaks"] == row["not shown before"] == 0 for row in rows)
