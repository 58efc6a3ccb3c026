import os
import subprocess
import sys

import pytest
import torch

from nasd.config import Config, DataConfig, LayersConfig
from nasd.evaluators.deep_prior.calibration import peak_bytes, without_images
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.evaluators.errors import EvaluationError
from nasd.evaluators.memory import PeakMemory, fit_micro_batch, pass_bytes, resident_bytes
from nasd.evaluators.networks.encoder import Encoder
from nasd.outcome import Evaluated, Failed
from nasd.spaces.layers import SearchSpace

TEXT = "[C(32,3,1,1,1), C(64,3,1,1,1), P(2,2,0,0), C(16,3,1,1,1), SM(10)]"


def test_peak_counts_what_is_alive_at_once():
    x = torch.empty(1000, device="meta")
    with PeakMemory() as memory:
        y = x + 1
        z = y * 2
        del y
        z.add_(1)
        w = z.view(10, 100) + 1
        assert memory.live == 8000
        del z, w
    assert (memory.live, memory.peak) == (0, 8000)


def test_fit_halves_until_it_fits():
    assert fit_micro_batch(lambda samples: samples * 10, 128, 1280) == 128
    assert fit_micro_batch(lambda samples: samples * 10, 128, 1279) == 64
    assert fit_micro_batch(lambda samples: samples * 10, 100, 300) == 25
    with pytest.raises(EvaluationError, match=r"needs 2,010 bytes, 300 are available"):
        fit_micro_batch(lambda samples: 2000 + samples * 10, 100, 300)


MEASURE = """
import sys
import torch
from itertools import product
from pathlib import Path
from nasd.config import *
from nasd.data import load
from nasd.evaluators.networks.encoder import Encoder
from nasd.evaluators.mini_batches import to_input
from nasd.evaluators.memory import pass_bytes
from nasd.spaces.layers import SearchSpace
torch.set_num_threads(1)

def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

data = load(DataConfig(image_size=28), 1)
for text, precision, convolution in product(sys.argv[1:], ("float32", "bfloat16"), ("direct", "fft")):
    config = EncoderConfig(precision=precision, convolution=convolution)
    with torch.device("meta"):
        encoder = Encoder(SearchSpace(LayersConfig()).parse(text), 1, config)
    predicted = pass_bytes(encoder, data, 200)
    encoder.to_empty(device="cpu")
    encoder.initialise(torch.Generator().manual_seed(0))
    with torch.inference_mode():
        encoder(to_input(data.train.images[:200]))  # brings in numba, and all code that is made
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    with torch.inference_mode():
        encoder(to_input(data.train.images[:200]))
    print(predicted, status("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_prediction_against_the_resident_set_of_a_process():
    activations = "[C(64,3,1,1,1), P(2,2,0,0), C(64,3,1,1,0), C(128,3,1,1,0), P(2,2,0,0), SM(10)]"
    weights = "[C(256,5,3,0,1), C(256,9,1,4,1), P(2,2,0,0), SM(10)]"  # 21 MB in one layer
    embedding = "[C(64,3,1,1,1), P(2,2,0,0), C(128,3,1,1,1), SM(10)]"  # laid out anew, and widened
    command = [sys.executable, "-c", MEASURE, activations, weights, embedding]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back to the system
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    for line in done.stdout.splitlines():
        predicted, measured = map(int, line.split())
        assert predicted > 20e6
        assert 0.9 * predicted < measured < 1.1 * predicted


def test_predicted_bytes_grow_with_the_samples(parse, few, configure):
    with torch.device("meta"):
        encoder = Encoder(parse(TEXT), 1, configure().encoder)
    one, two, all_ = (pass_bytes(encoder, few, samples) for samples in (1, 2, 128))
    assert one < two < all_
    assert resident_bytes(encoder, few, configure()) > 4 * (300 + 150 + 297) * encoder.embedding_dim


def test_on_a_cpu_values_are_pooled_and_then_normalised_in_place(parse, few, configure):
    with torch.device("meta"):
        encoder = Encoder(parse("[C(64,3,1,1,1), P(2,2,0,0), SM(10)]"), 1, configure().encoder)
    images, convolved, moments = 100 * 8 * 8 * 4, 100 * 8 * 8 * 64 * 4, 2 * 64 * 4
    assert pass_bytes(encoder, few, 100, "cpu") == images + convolved + moments + convolved // 4
    assert pass_bytes(encoder, few, 100, "cuda") == images + 2 * convolved + moments


def limit_for(samples, architecture, data, config):
    """The memory limit under which just so many samples pass at a time."""
    with torch.device("meta"):
        encoder = Encoder(architecture, 1, config.encoder)
    images = sum(split.images.nbytes for split in data.splits.values())
    return images + resident_bytes(encoder, data, config) + pass_bytes(encoder, data, samples)


def test_a_small_limit_splits_and_keeps_the_embedding(parse, few, configure):
    architecture, config, kept = parse(TEXT), configure(), []
    plain = evaluate(architecture, few, config, 1, "cpu", on_embedding=kept.append)
    limit = limit_for(32, architecture, few, config)
    split = evaluate(architecture, few, config, 1, "cpu", on_embedding=kept.append, memory_limit=limit)
    assert (plain.micro_batch, split.micro_batch) == (128, 32)
    torch.testing.assert_close(kept[0].train.x, kept[1].train.x, rtol=1e-3, atol=1e-3)
    assert split.reward == pytest.approx(plain.reward, abs=0.02)


def test_too_small_a_limit_is_a_failed_trial_that_says_both_numbers(parse, few, configure):
    architecture, config = parse(TEXT), configure()
    limit = limit_for(1, architecture, few, config) - 1
    outcome = evaluate(architecture, few, config, 1, "cpu", memory_limit=limit)
    assert isinstance(outcome, Failed)
    images = sum(split.images.nbytes for split in few.splits.values())
    assert f"needs {limit - images + 1:,} bytes, {limit - images:,} are available" in outcome.reason
    assert evaluate(architecture, few, config, 1, "cpu", memory_limit=1).reason.endswith(" bytes, 0 are available.")


def test_a_quick_look_is_part_of_the_prediction(parse, few, configure):
    architecture = parse(TEXT)
    plain, screened = configure(), configure(training={"screen": {}})
    limit = limit_for(2, architecture, few, plain)
    assert evaluate(architecture, few, plain, 1, "cpu", memory_limit=limit).micro_batch == 2
    reason = evaluate(architecture, few, screened, 1, "cpu", memory_limit=limit).reason
    assert "does not fit in memory: evaluation.rungs or training.screen" in reason


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_out_of_memory_in_spite_of_the_prediction_halves(parse, few, configure, monkeypatch, error):
    forward, sizes = Encoder.forward, []

    def greedy(self, images):
        sizes.append(len(images))
        if not images.is_meta and len(images) > 40:
            raise error
        return forward(self, images)

    monkeypatch.setattr(Encoder, "forward", greedy)
    outcome = evaluate(parse(TEXT), few, configure(), 1, "cpu")
    assert isinstance(outcome, Evaluated)
    assert outcome.micro_batch == 32


def test_out_of_memory_to_the_end_is_a_failed_trial(parse, few, configure, monkeypatch):
    forward = Encoder.forward

    def never(self, images):
        if images.is_meta:
            return forward(self, images)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nand more")

    monkeypatch.setattr(Encoder, "forward", never)
    outcome = evaluate(parse(TEXT), few, configure(), 1, "cpu")
    assert isinstance(outcome, Failed)
    assert "fewest images at a time" in outcome.reason
    assert "\n" not in outcome.reason


def test_an_architecture_for_other_images_is_a_failed_trial(parse, few, configure):
    assert DataConfig().name == few.name
    for text in ("[C(8,3,1,1,1), C(8,3,1,1,1), SM(10)]", "[C(8,11,1,0,1), SM(10)]"):
        outcome = evaluate(parse(text, side=28), few, configure(), 1, "cpu")
        assert isinstance(outcome, Failed)
        assert "8 pixels" in outcome.reason


def test_the_memory_that_is_planned_counts_the_looks_of_rungs():
    architecture = SearchSpace(LayersConfig(patch_size=28)).parse("[C(32,1,1,0,1), SM(10)]")  # 25,088 values

    def planned(**evaluation):
        config = Config.model_validate({"evaluation": {"kind": "deep_prior", **evaluation}})
        return peak_bytes(architecture, config, without_images(config, (54_000, 6000, 10_000)), torch.device("cpu"))

    whole = planned()
    few, many = (planned(rungs={"images": [images], "keep": [0.5]}) for images in (4000, 16_000))
    assert whole < few < many
