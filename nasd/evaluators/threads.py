"""Several cores, one operation on each.

An encoder's operations last a millisecond and less. Cut up among threads that meet after each of them, they gain little
on two free cores and lose several times their own length where other work takes one of these (docs/performance.md).
So every thread does whole operations of its own, and the result, bit for bit, does not depend on how many there are.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")


def threads_on(device: torch.device) -> int:
    """How many threads of ours this device is worth: a GPU is fed by one."""
    return torch.get_num_threads() if device.type == "cpu" else 1


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Inside, this thread and those of `in_order` run torch's operations without help of others."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_order(work: Callable[[Task], Result], tasks: Iterable[Task], threads: int, *, ahead: int) -> Iterator[Result]:
    """Do tasks on other threads, and yield their results in the order of the tasks.

    Args:
        work: Called on one of the threads.
        tasks: Taken on the calling thread, each only when there is room for it.
        threads: How many; with 0, work is done by the caller when its result is asked for.
        ahead: Tasks begun and not yet asked for, plus the one whose result the caller has: buffers of this number may
            be used in turn.
    """
    if threads == 0:
        yield from map(work, tasks)
        return
    with ThreadPoolExecutor(threads, "evaluate", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        begun: deque[Future[Result]] = deque()
        for task in tasks:
            if len(begun) == ahead:
                yield begun.popleft().result()
            begun.append(pool.submit(work, task))
        while begun:
            yield begun.popleft().result()
