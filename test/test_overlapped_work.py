"""Work beside the network: in order, bounded, each error where it belongs, and really beside it."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from ood_perception.errors import ImageError
from ood_perception.overlapped_work import FinishedBehind, prepared_ahead


def tenfold(number: int) -> int:
    if number == 3:
        raise ImageError("three is no image")
    return number * 10


def test_items_come_in_order_and_an_error_is_that_items_own():
    seen = []
    for item, prepared in prepared_ahead(range(6), tenfold):
        try:
            seen.append((item, prepared()))
        except ImageError as error:
            seen.append((item, str(error)))
    assert seen == [(0, 0), (1, 10), (2, 20), (3, "three is no image"), (4, 40), (5, 50)]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_no_more_is_taken_ahead_than_was_said(depth):
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    for item, prepared in prepared_ahead(items(), lambda number: number, depth):
        prepared()
        assert len(taken) <= item + 1 + depth


def test_the_next_one_is_prepared_while_this_one_is_out():
    begun = [threading.Event() for _ in range(3)]
    for item, prepared in prepared_ahead(range(3), lambda number: begun[number].set()):
        prepared()
        assert begun[min(item + 1, 2)].wait(10), "the next item waits for this one"


def test_what_the_items_raise_comes_after_the_items_before_it():
    def items():
        yield from range(3)
        raise ImageError("the bag ends here")

    seen = []

    def walk():
        for item, prepared in prepared_ahead(items(), tenfold, 2):
            seen.append((item, prepared()))

    with pytest.raises(ImageError, match="ends here"):
        walk()
    assert seen == [(0, 0), (1, 10), (2, 20)]


def test_leaving_early_ends_the_thread():
    walk = prepared_ahead(range(100), tenfold)
    next(walk)
    walk.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("prepared_ahead")]


def test_works_are_finished_here_in_their_order():
    finished, threads = [], set()
    with FinishedBehind[int](depth=2) as behind:
        for number in range(8):
            behind.add(partial(int, number), lambda n: threads.add(threading.get_ident()))
            behind.add(partial(int, number), finished.append)
    assert finished == list(range(8))
    assert threads == {threading.get_ident()}
    assert not [t for t in threading.enumerate() if t.name.startswith("finished_behind")]


def test_one_work_more_than_may_wait_waits_for_the_oldest():
    gate, finished = threading.Event(), []
    with FinishedBehind[bool](depth=2) as behind:
        for _ in range(2):
            behind.add(gate.wait, finished.append)
        assert finished == []
        threading.Timer(0.05, gate.set).start()
        behind.add(gate.wait, finished.append)
        assert finished
    assert finished == [True] * 3


def test_an_error_of_a_work_is_raised_here_and_nothing_after_it_is_finished():
    finished = []

    def work():
        with FinishedBehind[int](depth=1) as behind:
            for number in range(6):
                behind.add(partial(tenfold, number), finished.append)

    with pytest.raises(ImageError, match="three"):
        work()
    assert finished == [0, 10, 20]


def test_an_error_of_the_body_is_not_hidden_and_what_waits_is_dropped():
    gate, finished = threading.Event(), []

    def work():
        with FinishedBehind[bool]() as behind:
            behind.add(gate.wait, finished.append)
            gate.set()
            raise ValueError("body")

    with pytest.raises(ValueError, match="body"):
        work()
    assert finished == []
