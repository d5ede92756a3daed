"""Who searches goes before who folds or answers, who waits for it only so long."""

import threading
import time

from hubbub.index.precedence import PATIENCE_S, PoliteLock, give_way, going_first


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_others_wait_while_one_goes_first_and_no_longer():
    lock, order = PoliteLock(), []

    def fold():
        with lock:
            order.append("folded")

    with going_first():
        thread = in_thread(fold)
        with lock:
            order.append("searched")
    thread.join()
    assert order == ["searched", "folded"]


def test_who_came_first_but_waits_for_the_lock_lets_a_search_pass():
    lock, order, is_searching = PoliteLock(), [], threading.Event()

    def fold():
        with lock:
            order.append("folded")

    def search():
        with going_first():
            is_searching.set()
            with lock:
                order.append("searched")

    with lock:
        folding = in_thread(fold)
        time.sleep(0.02)  # it waits for the lock by now
        searching = in_thread(search)
        is_searching.wait()
    folding.join()
    searching.join()
    assert order == ["searched", "folded"]


def test_a_flood_of_searches_stops_nobody():
    lock, start_s, has_folded = PoliteLock(), time.monotonic(), threading.Event()

    def fold():
        with lock:
            has_folded.set()

    with going_first():
        thread = in_thread(fold)
        assert has_folded.wait(20 * PATIENCE_S)
    assert time.monotonic() - start_s >= PATIENCE_S
    thread.join()


def test_who_goes_first_waits_for_nobody_and_the_lock_can_be_taken_again_within():
    lock, start_s = PoliteLock(), time.monotonic()
    with lock, lock:
        pass
    with going_first():
        for _ in range(100):
            give_way()
            with lock, lock:
                pass
    give_way()
    with lock:
        pass
    assert time.monotonic() - start_s < 100 * PATIENCE_S


def test_the_lock_keeps_two_threads_apart():
    lock, total = PoliteLock(), [0]

    def count():
        for number in range(300):
            with lock:
                seen = total[0]
                if not number % 100:
                    time.sleep(0.001)
                total[0] = seen + 1
            if not number % 10:
                with going_first(), lock:
                    pass

    threads = [in_thread(count) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert total == [1200]
