import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.errors import InvalidInput
from hubbub.fleet.placement import Nodes
from hubbub.fleet.spec import FleetSpec, Pool
from hubbub.fleet.state import FleetState
from tests.fleet.slow import slow_place

SIZE, LEAF, NUM = 4, 3, 10
"""GPUs a node, nodes a leaf, nodes: the last leaf has one."""


def _slow_leaf_place(free, gpus, avoided):
    """Read the definition by trying all: {node: gpus} or None. `free` is None for a node that is out."""
    there = [node for node, count in enumerate(free) if count is not None]
    if gpus <= SIZE:
        fitting = [count for count in (free[node] for node in there) if count >= gpus]
        if not fitting:
            return None
        if min(fitting) < SIZE:
            return {min((node in avoided, node) for node in there if free[node] == min(fitting))[1]: gpus}
        return {_slow_empty(free, there, 1, avoided)[0]: gpus}
    whole, rest = divmod(gpus, SIZE)
    num_empty = sum(free[node] == SIZE for node in there)
    if num_empty < whole:
        return None
    if rest and num_empty > whole:
        *nodes, last = _slow_empty(free, there, whole + 1, avoided)
        return dict.fromkeys(nodes, SIZE) | {last: rest}
    placed = dict.fromkeys(_slow_empty(free, there, whole, avoided), SIZE)
    if rest:
        partial = [(-free[node], node in avoided, node) for node in there if rest <= free[node] < SIZE]
        if not partial:
            return None
        placed[min(partial)[2]] = rest
    return placed


def _slow_empty(free, there, wanted, avoided):
    leaves = {}
    for node in there:
        if free[node] == SIZE and node not in avoided:
            leaves.setdefault(node // LEAF, []).append(node)
    last = [node for node in there if free[node] == SIZE and node in avoided]
    good = min(wanted, sum(map(len, leaves.values())))
    for number in range(len(leaves) + 1):
        enough = [
            chosen
            for chosen in itertools.combinations(leaves, number)
            if sum(len(leaves[at]) for at in chosen) >= good
        ]
        if enough:
            break

    def order(chosen):  # whole leaves, the emptiest first, then the one that fits best
        full = sorted(chosen, key=lambda at: (-len(leaves[at]), at))
        for at in chosen:
            others = [other for other in full if other != at]
            if sum(len(leaves[other]) for other in others) < good:
                yield [(-len(leaves[other]), other) for other in others] + [(len(leaves[at]), at)]

    best = min((way for chosen in enough for way in order(chosen)), default=[])
    nodes = [node for _, at in best for node in leaves[at]][:good]
    return [*nodes, *last][:wanted]


@settings(max_examples=60)
@given(data=st.data())
def test_gangs_under_leaves_lie_where_the_slow_reading_puts_them_after_any_history(data):
    nodes, held, out, avoided = Nodes(0, SIZE, LEAF), [], set(), set()
    nodes.add(4)
    nodes.add(NUM - 4)
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.sampled_from(["place", "place", "give", "out", "avoid"]))
        node = data.draw(st.integers(0, NUM - 1))
        if step == "give" and held:
            nodes.give(held.pop(data.draw(st.integers(0, len(held) - 1))))
        elif step == "out":
            (nodes.restore if node in out else nodes.remove)(node)
            out ^= {node}
        elif step == "avoid":
            nodes.avoid(node, is_avoided=node not in avoided)
            avoided ^= {node}
        elif step == "place":
            gpus = data.draw(st.integers(1, NUM * SIZE + 1))
            free = [None if node in out else count for node, count in enumerate(nodes.free)]
            shares, expected = nodes.place(gpus), _slow_leaf_place(free, gpus, avoided)
            assert (None if shares is None else dict(shares)) == expected
            assert nodes.fits(gpus) == (expected is not None)
            if shares is not None:
                nodes.take(shares)
                held.append(shares)
    assert nodes.num_free == sum(count for node, count in enumerate(nodes.free) if node not in out)


@settings(max_examples=40)
@given(data=st.data())
def test_without_leaves_avoided_nodes_come_last_among_equals_and_nothing_else_changes(data):
    nodes, held, avoided = Nodes(6, SIZE), [], set()
    for _ in range(data.draw(st.integers(1, 30))):
        node = data.draw(st.integers(0, 5))
        if data.draw(st.booleans()):
            nodes.avoid(node, is_avoided=node not in avoided)
            avoided ^= {node}
        elif held and data.draw(st.booleans()):
            nodes.give(held.pop())
        else:
            gpus = data.draw(st.integers(1, 6 * SIZE))
            order = sorted(
                range(6), key=lambda node: (node in avoided, node)
            )  # renumber: avoided are the last
            expected = slow_place([nodes.free[node] for node in order], gpus, SIZE)
            shares = nodes.place(gpus)
            assert (shares is None) == (expected is None)
            if shares is not None:
                assert dict(shares) == {order[at]: count for at, count in expected.items()}
                nodes.take(shares)
                held.append(shares)


def test_a_gang_stays_under_one_switch_where_it_can_by_hand():
    nodes = Nodes(12, 8, 4)  # leaves 0-3, 4-7, 8-11
    nodes.take([(0, 8), (1, 8), (4, 8)])
    assert nodes.place(16) == [(2, 8), (3, 8)]  # the leaf with two empty nodes, not the one with four
    assert nodes.place(24) == [(5, 8), (6, 8), (7, 8)]
    assert nodes.place(40) == [(8, 8), (9, 8), (10, 8), (11, 8), (2, 8)]  # a whole leaf and the best fit
    assert nodes.place(3) == [(2, 3)]  # a small job opens the leaf that large ones miss least
    nodes.avoid(8)
    assert nodes.place(56) == [(node, 8) for node in (5, 6, 7, 9, 10, 11, 2)]
    assert nodes.place(72) == [(node, 8) for node in (5, 6, 7, 9, 10, 11, 2, 3, 8)]


def test_a_fleets_file_tells_the_leaves():
    state = FleetState(FleetSpec(pools=(Pool(name="own", num_nodes=12, nodes_per_leaf=4),)))
    state.pools["own"].nodes.take([(0, 8)])
    assert state.pools["own"].nodes.place(24) == [(node, 8) for node in (1, 2, 3)]
    assert state.pools["own"].nodes.place(32) == [(node, 8) for node in (4, 5, 6, 7)]


def test_a_pool_that_cannot_be_is_refused():
    with pytest.raises(InvalidInput, match="0 where the leaves are unknown"):
        Nodes(2, 8, -1)
