"""The harness that times deletions knows every route that shows posts, and finds nothing after a deletion."""

import argparse

from benchmarks.deletion import measure_surfaces
from benchmarks.deletion_surfaces import SURFACES, WITHOUT_POSTS
from hubbub.server.app import create_app
from hubbub.server.embed import PLACES
from hubbub.web.assets import asset_routes
from tests.server.small_house import SmallHouse


def test_every_route_is_watched_or_shows_no_posts(tmp_path):
    house = SmallHouse(tmp_path)
    routes = {route.path for route in create_app(house).routes} - {
        route.path for route in asset_routes("hubbub.server", PLACES)
    }
    house.close()
    watched = {surface.route for surface in SURFACES}
    missing = routes - watched - WITHOUT_POSTS.keys()
    assert not missing, f"{missing}: add what they show to SURFACES in benchmarks/deletion_surfaces.py"
    assert not watched & WITHOUT_POSTS.keys()


def test_a_deleted_post_is_seen_to_go_from_every_surface():
    options = argparse.Namespace(seconds=0.1, rate=20, deletions=2, open=1, warm_up=0.5)
    rows = measure_surfaces(options)
    assert [row["surface"] for row in rows] == [*(surface.name for surface in SURFACES), "all"]
    rare = {surface.name for surface in SURFACES if surface.is_rare}
    assert all(row["number"] for row in rows if row["surface"] not in rare)
    assert all(row["leaks"] == row["not shown before"] == 0 for row in rows)
