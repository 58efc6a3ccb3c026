"""Matrix products on one thread: their last bits depend on how many share them, and a ranking must not."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_NAMES = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, numpy's OpenBLAS takes one thread. Another library is left as it is."""
    extension = import_module("numpy._core._multiarray_umath")
    library = ctypes.CDLL(str(extension.__file__))  # finds the functions of what it is linked with, too
    for name in _NAMES:
        get, set_ = (_function(library, name.format(verb)) for verb in ("get", "set"))
        if get is not None and set_ is not None:
            before = get()
            set_(1)
            try:
                yield
            finally:
                set_(before)
            return
    yield


def _function(library: ctypes.CDLL, name: str) -> Any:
    return getattr(library, name, None)
