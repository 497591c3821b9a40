"""Jobs on threads: in order, with one of torch's threads each, and none outlives an error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from threading import Event, current_thread, main_thread

import pytest
import torch

from experiments.side_by_side import side_by_side


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order() -> None:
    def job(number: int, left: Event) -> tuple[int, int, bool]:
        time.sleep(0.02 * (4 - number))
        return number, torch.get_num_threads(), current_thread() is main_thread()

    assert side_by_side([partial(job, number) for number in range(4)]) == [(number, 1, False) for number in range(4)]
    assert torch.get_num_threads() == 2


def test_both_run_at_once() -> None:
    met = [Event(), Event()]

    def job(number: int, left: Event) -> bool:
        met[number].set()
        return met[1 - number].wait(20)

    assert side_by_side([partial(job, number) for number in range(2)]) == [True, True]


def test_one_thread_is_the_callers_own() -> None:
    torch.set_num_threads(1)
    assert side_by_side([lambda left: current_thread() is main_thread()] * 3) == [True] * 3


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_ends_the_others(error: type[BaseException]) -> None:
    ended = Event()

    def long(left: Event) -> None:
        assert left.wait(20)
        ended.set()

    def fails(left: Event) -> None:
        raise error("broken")

    with pytest.raises(error, match="broken"):
        side_by_side([long, fails])
    assert ended.is_set()
    assert torch.get_num_threads() == 2
