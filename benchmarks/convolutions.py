"""Convolution by FFT against torch's own, for each class of a search's layers.

    python -m benchmarks.convolutions [--kernels 3 5 7 11] [--channels 32 128 512] [--sizes 28 14] [--batch 128]

`plain` is the FFT in plain torch, in float32: `rfft2`, one complex product for each frequency, `irfft2`. Transforms of
size + padding points suffice, because what wraps around falls on rows that are cut off. `nasd` is what an encoder takes
(`nasd.evaluators.networks.fft`), in both precisions, whose largest error against float64 is given as a share of the
largest value. Beside them are direct convolutions in each precision. With `--threads 1` on a CPU times are processor
time.
"""

import argparse
import time
from functools import partial

from nasd.box import tuning

tuning.prepare()  # before torch

import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from benchmarks.evaluator import Clock, seconds  # noqa: E402
from nasd.evaluators.networks import fft  # noqa: E402
from nasd.evaluators.seeding import generator  # noqa: E402


def by_fft(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """`conv2d` of stride 1 for x (N, C, H, H) and weight (C', C, k, k)."""
    points = x.shape[-1] + padding
    kernel = weight.shape[-1]
    images = torch.fft.rfft2(x, s=(points, points)).permute(2, 3, 0, 1)
    window = torch.fft.rfft2(weight, s=(points, points)).conj().permute(2, 3, 1, 0)
    products = torch.matmul(images, window).permute(2, 3, 0, 1)
    out = torch.fft.irfft2(products, s=(points, points)).roll((padding, padding), (2, 3))
    size = x.shape[-1] + 2 * padding - kernel + 1
    return out[:, :, :size, :size]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, nargs="+", default=[3, 5, 7, 9, 11])
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--sizes", type=int, nargs="+", default=[28, 14])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, help="CPU threads; else as many as cores")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    if arguments.threads == 1 and arguments.device == "cpu":
        Clock.now = staticmethod(time.process_time)
    ways = ("direct: float32, ms", "tf32", "bfloat16", "plain", "nasd: float32", "bfloat16")
    print(f"| kernel | channels | side | {' | '.join(ways)} | errors of nasd |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for kernel in arguments.kernels:
        for channels in arguments.channels:
            for side in arguments.sizes:
                print(row(kernel, channels, side, arguments.batch, arguments.device), flush=True)


@torch.inference_mode()
def row(kernel: int, channels: int, side: int, batch: int, device: str) -> str:
    """One class of layers, as a row of the table."""
    draw, padding = generator(1, "convolution"), kernel // 2
    x = torch.randn((batch, channels, side, side), generator=draw).to(device)
    weight = torch.randn((channels, channels, kernel, kernel), generator=draw).to(device)
    exact = functional.conv2d(x[:1].double(), weight.double(), padding=padding)
    x, weight = (each.contiguous(memory_format=torch.channels_last) for each in (x, weight))
    taken, errors = [], []
    for precision in ("float32", "tf32", "bfloat16"):
        images, window = cast(x, weight, precision)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=precision == "tf32"):
            taken.append(seconds(partial(functional.conv2d, images, window, padding=padding), 2))
    taken.append(seconds(partial(by_fft, x, weight, padding), 2))
    for precision in ("float32", "bfloat16"):
        images, window = cast(x, weight, precision)
        taken.append(seconds(partial(fft.conv2d, images, window, 1, padding), 2))
        errors.append(float((fft.conv2d(images[:1], window, 1, padding) - exact).abs().max() / exact.abs().max()))
    shown = " | ".join(f"{1e3 * each:.2f}" for each in taken)
    return f"| {kernel}x{kernel} | {channels} | {side} | {shown} | {errors[0]:.0e}, {errors[1]:.0e} |"


def cast(x: Tensor, weight: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """Images and weights as a precision stores them."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return x.to(dtype), weight.to(dtype)


if __name__ == "__main__":
    main()
