import shutil

from benchmarks.index_crash import measure
from hubbub.index import open_index
from hubbub.posts import Deletion, Post


def test_kill_9_loses_nothing_and_brings_nothing_back():
    result = measure(rounds=2, seconds=2.0, seed=5)
    assert result["events"] > 0
    assert (result["lost"], result["doubled"], result["zombies"]) == (0, 0, 0)


def test_a_deletion_that_the_engine_had_not_written_yet_holds_after_a_kill(tmp_path):
    posts = [Post(id=f"x://{n}", author=f"a{n}", text=f"rain {n}", received_us=n) for n in (1, 2)]
    index = open_index(f"edge:{tmp_path / 'now'}", "hashed:16")
    index.fold(enumerate(posts, 1))
    index.flush()
    shutil.copytree(tmp_path / "now", tmp_path / "killed")
    index.fold([(3, Deletion(id="x://1", received_us=3))])
    for path in (tmp_path / "now").glob("state.db*"):  # of what is newer only the tombstone reached the disk
        shutil.copy(path, tmp_path / "killed")
    index.close()
    index = open_index(f"edge:{tmp_path / 'killed'}", "hashed:16")
    assert index.position == 2
    assert index.fetch(["x://1", "x://2"]) == {"x://2": posts[1]}
    index.close()
