"""Settings of native libraries, to be made before torch is imported (measured: docs/performance.md)."""

import os


def prepare(threads: int | None = None) -> None:
    """Set what the environment does not set already.

    Args:
        threads: CPU threads that this process will use; None: torch's choice.
    """
    if threads is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    for name, value in {
        # A thread that waits for another one spins shortly and then sleeps. By default it spins much longer: as soon as
        # other work takes a core, it spins away the time that the awaited thread needs, and an evaluation takes several
        # times as long.
        "GOMP_SPINCOUNT": "10000",
        # Large tensors come in pages of 2 MB: faulting in those of 4 KB took a fifth of the encoder's time.
        "THP_MEM_ALLOC_ENABLE": "1",
    }.items():
        os.environ.setdefault(name, value)
