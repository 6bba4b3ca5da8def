"""Requests that wait are computed together, in order, within limits; the fault of one is not that of the others."""

import asyncio
import logging
import threading
import time

import pytest

from cube_model.errors import ModelError
from cube_model.serving.batching import Batcher
from cube_model.serving.errors import RefusalError


class Machine:
    """Doubles numbers; holds each batch until it is let go, and remembers the batches."""

    def __init__(self, is_held=False):
        self.batches, self.go = [], threading.Event()
        if not is_held:
            self.go.set()

    def double(self, items):
        self.batches.append(items)
        assert self.go.wait(20)
        if -1 in items:
            raise ModelError("a negative number")
        if -2 in items:
            raise RuntimeError("the text of a user")
        return [2 * item for item in items]


@pytest.fixture
def run():
    """Run a coroutine function with a machine and a batcher, and close them."""

    def run(steps, is_held=False, **limits):
        machine = Machine(is_held)
        batcher = Batcher({"double": machine.double, "negate": lambda items: [-item for item in items]}, **limits)

        async def main():
            return await steps(machine, batcher)

        try:
            return asyncio.run(main())
        finally:
            machine.go.set()
            batcher.close()
            assert not batcher.is_alive

    return run


async def until(condition):
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it does not happen")


async def hold(machine, batcher):
    """Start a request, which keeps the thread busy until `machine.go`."""
    first = asyncio.ensure_future(batcher.compute("double", [0], 20))
    await until(lambda: machine.batches)
    return first


def test_requests_that_wait_are_computed_together(run):
    async def steps(machine, batcher):
        first = await hold(machine, batcher)
        others = [asyncio.ensure_future(batcher.compute("double", [n, n + 1], 20)) for n in range(1, 5)]
        negated = asyncio.ensure_future(batcher.compute("negate", [7], 20))
        await until(lambda: batcher.waiting == 9)
        machine.go.set()
        assert await asyncio.gather(first, *others, negated) == [[0], [2, 4], [4, 6], [6, 8], [8, 10], [-7]]
        assert machine.batches == [[0], [1, 2, 2, 3, 3, 4, 4, 5]]
        assert batcher.waiting == 0

    run(steps, is_held=True)


def test_a_large_request_is_divided_and_lets_small_ones_pass(run):
    async def steps(machine, batcher):
        first = await hold(machine, batcher)
        large = asyncio.ensure_future(batcher.compute("double", range(10, 20), 20))
        await until(lambda: batcher.waiting == 10)
        small = asyncio.ensure_future(batcher.compute("double", [1], 20))
        await until(lambda: batcher.waiting == 11)
        machine.go.set()
        assert await small == [2]
        assert await large == list(range(20, 40, 2))
        await first
        assert [len(batch) for batch in machine.batches] == [1, 4, 4, 3]
        assert machine.batches[2] == [1, 14, 15, 16]

    run(steps, is_held=True, max_batch=4)


def test_the_first_item_waits_for_others(run):
    async def steps(machine, batcher):
        start = time.monotonic()
        assert await asyncio.gather(*(batcher.compute("double", [n], 20) for n in (1, 2))) == [[2], [4]]
        assert time.monotonic() - start >= 0.2
        assert machine.batches == [[1, 2]]

    run(steps, max_wait=0.2, max_batch=3)


def test_a_full_batch_does_not_wait(run):
    async def steps(machine, batcher):
        requests = asyncio.gather(*(batcher.compute("double", [n], 20) for n in (1, 2, 3)))
        assert await asyncio.wait_for(requests, 10) == [[2], [4], [6]]
        assert machine.batches == [[1, 2, 3]]

    run(steps, max_wait=30, max_batch=3)


def test_a_full_queue_refuses_and_says_when_to_come_again(run):
    async def steps(machine, batcher):
        first = await hold(machine, batcher)
        waiting = asyncio.ensure_future(batcher.compute("double", [1, 2, 3], 20))
        await until(lambda: batcher.waiting == 3)
        with pytest.raises(RefusalError, match="3 texts wait already, and at most 4 may") as refused:
            await batcher.compute("double", [4, 5], 20)
        assert refused.value.status == 429
        assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
        machine.go.set()
        assert await waiting == [2, 4, 6]
        assert await batcher.compute("double", [4, 5, 6, 7], 20) == [8, 10, 12, 14]
        await first

    run(steps, is_held=True, queue=4)


@pytest.mark.parametrize("leaves", ["too late", "cancelled"])
def test_what_nobody_waits_for_is_not_computed(run, leaves):
    async def steps(machine, batcher):
        first = await hold(machine, batcher)
        left = asyncio.ensure_future(batcher.compute("double", [5], 0.05 if leaves == "too late" else 20))
        await until(lambda: batcher.waiting == 1 or left.done())
        if leaves == "cancelled":
            left.cancel()
        with pytest.raises(RefusalError if leaves == "too late" else asyncio.CancelledError) as ended:
            await left
        assert leaves == "cancelled" or ended.value.status == 504
        assert batcher.waiting == 0
        machine.go.set()
        await first
        assert await batcher.compute("double", [6], 20) == [12]
        assert machine.batches == [[0], [6]]

    run(steps, is_held=True)


def test_an_invalid_request_fails_alone(run):
    async def steps(machine, batcher):
        first = await hold(machine, batcher)
        others = [asyncio.ensure_future(batcher.compute("double", [n], 20)) for n in (1, -1, 3)]
        await until(lambda: batcher.waiting == 3)
        machine.go.set()
        results = await asyncio.gather(*others, return_exceptions=True)
        assert results[::2] == [[2], [6]]
        assert str(results[1]) == "a negative number"
        assert isinstance(results[1], ModelError)
        await first

    run(steps, is_held=True)


def test_an_unexpected_error_ends_a_batch_but_not_the_server_and_tells_no_text(run, caplog):
    async def steps(machine, batcher):
        with caplog.at_level(logging.INFO), pytest.raises(RefusalError) as refused:
            await batcher.compute("double", [-2], 20)
        assert refused.value.status == 500
        assert await batcher.compute("double", [2], 20) == [4]
        assert "RuntimeError at" in caplog.text
        assert "text of a user" not in caplog.text + str(refused.value)

    run(steps)


def test_closing_answers_what_waits(run):
    async def steps(machine, batcher):
        first = await hold(machine, batcher)
        waiting = asyncio.ensure_future(batcher.compute("double", [1, 2, 3], 20))
        await until(lambda: batcher.waiting == 3)
        closing = asyncio.ensure_future(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.05)
        with pytest.raises(RefusalError) as refused:
            await batcher.compute("double", [4], 20)
        assert refused.value.status == 503
        machine.go.set()
        assert await asyncio.gather(first, waiting) == [[0], [2, 4, 6]]
        await closing

    run(steps, is_held=True, max_batch=2)
