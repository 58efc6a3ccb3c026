"""What a box can lack. An evaluation that ends for want of it says nothing about its architecture."""

import errno
import re
from collections.abc import Iterator

_LACKS = {
    "processes": "no further thread or process may be started (ulimit -u, or a container's pids limit)",
    "files": "no further file may be opened (ulimit -n)",
    "maps": "no further memory may be mapped (vm.max_map_count, ulimit -v, or what all processes may have together)",
    "shared memory": "there is no shared memory left (/dev/shm; for a container --shm-size)",
    "disk": "a disk is full, read-only or broken",
    "driver": "the GPU's driver does not work (nvidia-smi)",
}

_ERRNOS = {
    errno.EAGAIN: "processes",
    errno.EMFILE: "files",
    errno.ENFILE: "files",
    errno.ENOMEM: "maps",
    errno.ENOSPC: "disk",
    errno.EDQUOT: "disk",
    errno.EROFS: "disk",
    errno.EIO: "disk",
    errno.ESTALE: "disk",
}

# As Python, glibc, libgomp, torch and CUDA write it. Shared memory first: where it is full, there is also "no space".
_WORDS = (
    ("shared memory", r"shared memory object|shared memory\(shm\)|/torch_\d|/dev/shm|torch_shm_manager"),
    ("processes", r"can't start new thread|thread creation failed|pthread_create|resource temporarily unavailable"),
    ("files", r"too many open files|received 0 items of ancdata"),
    ("maps", r"unable to mmap|failed to map segment|static tls block|mmap failed|\[errno 12\]"),
    ("disk", r"no space left on device|disk quota exceeded|read-only file system|input/output error|stale file handle"),
    (
        "driver",
        r"nvidia driver|cuda driver|cuda-capable device|driver/library version mismatch|uncorrectable ecc|fallen off "
        r"the bus|gpu is lost|cuda unknown error|system not yet initialized|devices? (are|is) busy or unavailable",
    ),
)
# Memory that torch's allocator asked for is a tensor's: the architecture's own.
_OWN = re.compile(r"DefaultCPUAllocator|CUDA out of memory", re.IGNORECASE)


def of_error(error: BaseException) -> str | None:
    """What the box lacks, in words, if that is why an exception was raised; None if it says nothing of the kind."""
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in _ERRNOS:
            return in_words(str(one)) or _LACKS[_ERRNOS[one.errno]]
        if isinstance(one, OSError | RuntimeError | ImportError | AssertionError) and (found := in_words(str(one))):
            return found
    return None


def in_words(text: str) -> str | None:
    """The same of what a process said before it ended."""
    if _OWN.search(text):
        return None
    return next((_LACKS[what] for what, words in _WORDS if re.search(words, text, re.IGNORECASE)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those that it was raised from."""
    at: BaseException | None = error
    seen: set[int] = set()
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__
