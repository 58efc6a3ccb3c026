"""Work that is repeated on a GPU, recorded once: one launch instead of thousands."""

from collections.abc import Callable

import torch


def recorded(work: Callable[[], None]) -> Callable[[], None]:
    """`work` as a CUDA graph, or `work` itself where it cannot be recorded (too little memory, an old driver).

    Args:
        work: Was run before, so that libraries are loaded; reads and writes the same tensors whenever it is called, and
            never waits for the device. All of it is done on the current device, which is the only one that is
            recorded. Recording it does not run it.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own may be that of another device
        with torch.cuda.graph(graph, stream=stream):
            work()
    except RuntimeError:  # of whatever kind: what else is wrong shows when it runs unrecorded
        return work
    return graph.replay
