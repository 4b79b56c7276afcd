"""Work that is done beside other work. Drawing images and looking at them are two networks' work on small pictures,
which torch's threads share badly among themselves (1.4 times as fast on two cores): half of them each is better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Beside:
    """A starter of work, which says where its result will be. ``pool``: that does it; None: it is done at once."""

    def __init__(self, pool: ThreadPoolExecutor | None) -> None:
        self._pool = pool

    def __call__(self, work: Callable[[], T]) -> Future[T]:
        if self._pool is not None:
            return self._pool.submit(work)
        done: Future[T] = Future()
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 - told where the result is asked for, as of a thread
            done.set_exception(error)
        return done


@contextmanager
def second_thread() -> Iterator[Beside]:
    """Have work done in a second thread, one piece at a time and in order, with half of torch's threads; this one has
    the other half meanwhile. Where torch has one thread alone, all of it is done at once. What has not begun when the
    context ends is not done."""
    import torch

    threads = torch.get_num_threads()
    if threads < 2:
        yield Beside(None)
        return
    half = threads // 2
    pool = ThreadPoolExecutor(1, "evaluation", torch.set_num_threads, (half,))
    try:
        torch.set_num_threads(threads - half)
        yield Beside(pool)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
