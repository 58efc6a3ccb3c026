"""What is installed: a client needs little, and whatever runs or reads a search needs the extra `daemon`."""

from nasd.errors import NasdError

_DAEMON = {"numba", "numpy", "pandas", "psutil", "pydantic", "pynvml", "safetensors", "torch", "torchvision", "zarr"}


def missing(error: ModuleNotFoundError) -> NasdError | None:
    """What to tell a person of a module that is not installed, or None if it is none that an extra brings."""
    module = (error.name or "").partition(".")[0]
    if module not in _DAEMON:
        return None
    return NasdError(
        f"this needs what runs searches, and only a client is installed here (no module {module}): "
        "pip install 'nasd[daemon]', or ask the box where the run is (user@host:RUN)"
    )
