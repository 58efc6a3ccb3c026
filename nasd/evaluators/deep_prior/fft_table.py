"""Where convolution by Fourier transform is faster on a device: measured once, and kept (`encoder.convolution`)."""

import time
from collections.abc import Callable

import torch
from torch.nn import functional

from nasd.box import fft_tables
from nasd.box.processor import model_name
from nasd.config import FftConfig
from nasd.errors import ConfigError
from nasd.evaluators.networks import fft
from nasd.evaluators.threads import one_thread_each

KERNELS = (11, 9, 7, 5, 3)
SIDES = (28, 14, 7)
CHANNELS = (8, 16, 32, 64, 128, 256)
IMAGES = 128
GAIN = 1.1  # times as fast at least
CLEAR = 1.5  # times as fast, or as slow: not measured again
REPEATS = 3
VERSION = 2  # of `fft`: another one takes other times


def of_device(device: str, precision: str) -> tuple[FftConfig, ...]:
    """The table of a device, measured if there is none yet, which takes seconds.

    Args:
        device: Such as `cpu` or `cuda:0`.
        precision: Of the direct convolutions, as `encoder.precision`.

    Raises:
        ConfigError: The device is not there.
    """
    try:
        name = f"{_name(device)}, {precision}, torch {torch.__version__}, FFT {VERSION}"
        if (known := fft_tables.everything().get(name)) is not None:
            return known
        found = _measure(torch.device(device), precision)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"encoder.convolution: nothing can be measured on {device}: {str(error).splitlines()[0]}"
        ) from error
    fft_tables.remember(name, found)
    return found


def _name(device: str) -> str:
    return torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else model_name()


@torch.inference_mode()
@one_thread_each()
def _measure(device: torch.device, precision: str) -> tuple[FftConfig, ...]:
    """Of each kernel and image the fewest channels with which a transform is faster."""
    found, dtype = [], torch.bfloat16 if precision == "bfloat16" else torch.float32
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=precision == "tf32"):
        for side in SIDES:
            left = list(CHANNELS)
            for kernel in KERNELS:
                while left and not _is_faster(kernel, side, left[0], dtype, device):
                    left.pop(0)  # neither for smaller windows
                if left:
                    found.append(FftConfig(kernel=kernel, side=side, channels=left[0]))
    return tuple(found)


def _is_faster(kernel: int, side: int, channels: int, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether a transform is, for a mini-batch of images."""
    x = torch.ones((IMAGES, side, side, channels), dtype=dtype, device=device).permute(0, 3, 1, 2)
    weight = torch.ones((channels, kernel, kernel, channels), dtype=dtype, device=device).permute(0, 3, 1, 2)
    direct = transformed = float("inf")
    for _ in range(REPEATS):
        direct = min(direct, _seconds(lambda: functional.conv2d(x, weight, padding=kernel // 2), device))
        transformed = min(transformed, _seconds(lambda: fft.conv2d(x, weight, 1, kernel // 2), device))
        if not 1 / CLEAR < direct / transformed < CLEAR:
            break
    return direct > GAIN * transformed


def _seconds(compute: Callable[[], object], device: torch.device) -> float:
    """Of the processor on a CPU, where other work then counts little."""
    if device.type == "cpu":
        began = time.thread_time()
        compute()
        return time.thread_time() - began
    torch.cuda.synchronize(device)
    began = time.perf_counter()
    compute()
    torch.cuda.synchronize(device)
    return time.perf_counter() - began
