"""Two hundred visitors at once: a few pages are drawn at a time, and a slow one keeps nobody out for ever."""

import threading
import time

import pytest

from dataset_builders.dashboard.turns import Turns


def test_few_pages_are_drawn_at_a_time_and_all_in_the_end():
    turns, drawing, most, drawn = Turns(most=3), [], [], []

    def visit(number):
        with turns.taken():
            drawing.append(number)
            most.append(len(drawing))
            time.sleep(0.002)
            drawing.remove(number)
            drawn.append(number)

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(60)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert max(most) <= 3
    assert sorted(drawn) == list(range(60))


def test_slow_searches_keep_no_visitor_out():
    turns, ended, drawn = Turns(most=2, stuck=0.05), threading.Event(), threading.Event()

    def visit(wait):
        with turns.taken():
            (ended.wait if wait else drawn.set)()

    slow = [threading.Thread(target=visit, args=(True,)) for _ in range(2)]
    for each in (*slow, threading.Thread(target=visit, args=(False,))):
        each.start()
    assert drawn.wait(10)
    ended.set()
    for each in slow:
        each.join()
    with turns.taken(), turns.taken():  # both turns are free again, not three
        assert not turns._free.acquire(blocking=False)


def test_a_page_that_cannot_be_drawn_gives_its_turn_up():
    turns = Turns(most=1, stuck=60)
    for _ in range(2):
        with pytest.raises(RuntimeError), turns.taken():
            raise RuntimeError


def test_each_page_is_drawn_in_its_turn(page, monkeypatch):
    turns = Turns()
    monkeypatch.setattr("dataset_builders.dashboard.turns.TURNS", turns)
    turns._finished = 0.0
    assert not page(tab="licences").exception
    assert turns._finished > 0
