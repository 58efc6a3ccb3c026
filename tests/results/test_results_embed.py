"""`nasd embed`: the embedding that the search computed, bit for bit, without ever holding it."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from nasd import data as datasets
from nasd.cli.embed import embed_command
from nasd.config import DataConfig
from nasd.errors import DataMissingError, NasdError
from nasd.evaluators.deep_prior.evaluation import evaluate
from nasd.evaluators.errors import EvaluationError
from nasd.export.deep_prior import DeepPrior, write_embedding
from nasd.spaces.layers import SearchSpace
from store import EmbeddingError, Run
from store.embeddings import Embedding, draft
from tests.helpers import searches

NET = "[C(16,3,1,1,1), P(2,2,0,0), C(32,3,1,1,0), SM(10)]"


def prior(net=NET, micro_batch=None, **sections):
    config = searches.configure(**sections)
    return DeepPrior(SearchSpace(config.space).parse(net), 11, config, micro_batch)


def evaluated(given, **options):
    """What a search would have kept, by split."""
    kept = []
    data = datasets.load(given.config.data, given.config.seed)
    evaluate(given.architecture, data, given.config, given.seed, "cpu", on_embedding=kept.append, **options)
    return kept[0]


def same(target, embedding, dtype=np.float32):
    stored = Embedding(target)
    assert set(stored.splits) == {"train", "val", "test"}
    for name, split in embedding.splits.items():
        order = np.argsort(split.y.numpy(), kind="stable")
        found = stored.read(name)
        assert found.x.dtype == dtype
        assert np.array_equal(found.x, split.x.numpy()[order].astype(dtype))
        assert np.array_equal(found.y, split.y.numpy()[order])
        assert np.array_equal(found.index, split.index.numpy()[order])
    return stored.attributes


@pytest.mark.parametrize(
    ("sections", "options"),
    [
        ({}, {}),
        ({"encoder": {"batch_norm_statistics": "population"}}, {}),
        ({"encoder": {"batch_norm": 0, "batch_norm_statistics": "population"}}, {}),
        ({}, {"micro_batch": 50}),
        ({"encoder": {"convolution": "fft"}}, {}),
    ],
    ids=["batch", "population", "no batch norm", "split mini-batches", "by FFT"],
)
def test_the_embedding_of_the_search_bit_for_bit(tmp_path, monkeypatch, sections, options):
    given = prior(**sections, **options)
    if options:
        from nasd.evaluators.deep_prior import evaluation

        monkeypatch.setattr(evaluation, "fit_micro_batch", lambda *_: options["micro_batch"])
    write_embedding(given, tmp_path / "e.zarr")
    attributes = same(tmp_path / "e.zarr", evaluated(given))
    assert attributes["architecture"] == NET
    assert attributes["seed"] == 11
    assert attributes["micro_batch"] == options.get("micro_batch", 128)
    assert attributes["data"]["classes"] == list("0123456789")
    assert attributes["dtype"] == "float32"


def test_half_precision(tmp_path):
    given = prior()
    write_embedding(given, tmp_path / "e.zarr", dtype="float16")
    assert same(tmp_path / "e.zarr", evaluated(given), np.float16)["dtype"] == "float16"


class _StoppedError(Exception):
    pass


def test_an_interrupted_pass_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(draft, "SHARD_BYTES", 1)  # saved after each step
    given, seen = prior(), []

    def until(stop):
        def on_step(done, steps):
            seen.append(done)
            if done == stop:
                raise _StoppedError

        return on_step

    for stop in (2, 5):
        with pytest.raises(_StoppedError):
            write_embedding(given, tmp_path / "e.zarr", on_step=until(stop))
        assert not (tmp_path / "e.zarr").exists()
    write_embedding(given, tmp_path / "e.zarr", on_step=until(0))
    assert seen == [1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 9][: len(seen)]  # a step that was not saved is done again
    same(tmp_path / "e.zarr", evaluated(given))


def test_killed_in_the_middle_it_goes_on(tmp_path):
    script = f"""
import os, signal, sys
import torch; torch.set_num_threads(1)
from pathlib import Path
from tests.results import test_results_embed as t
t.draft.SHARD_BYTES = 1
t.write_embedding(t.prior(), Path({str(tmp_path / "e.zarr")!r}),
        on_step=lambda done, steps: os.kill(os.getpid(), signal.SIGKILL) if done == 5 else None)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert [path.name for path in tmp_path.iterdir()] == [".e.zarr.part"]
    seen = []
    write_embedding(prior(), tmp_path / "e.zarr", on_step=lambda done, _: seen.append(done))
    assert seen[0] == 5
    same(tmp_path / "e.zarr", evaluated(prior()))


def test_memory_that_runs_out_halves_the_pass(tmp_path, monkeypatch):
    from nasd.evaluators.deep_prior import stream

    real = stream.StreamedPass.step

    def step(self, number):
        if self._micro_batch > 32:
            raise torch.OutOfMemoryError("no memory")
        real(self, number)

    monkeypatch.setattr(stream.StreamedPass, "step", step)
    write_embedding(prior(), tmp_path / "e.zarr")
    assert Embedding(tmp_path / "e.zarr").attributes["micro_batch"] == 32
    monkeypatch.setattr(stream.StreamedPass, "step", lambda *_: (_ for _ in ()).throw(RuntimeError("odd\nthing")))
    with pytest.raises(EvaluationError, match=r"odd\Z"):
        write_embedding(prior(), tmp_path / "f.zarr")


@pytest.fixture
def folder(tmp_path):
    """An image folder of three classes, images of several sizes."""
    draw = np.random.default_rng(1)
    for part, count in (("train", 30), ("test", 9)):
        for name in ("ant", "bee", "cat"):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 255, (10 + number % 3, 12, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "images" / part / name / f"{number}.png")
    return {"name": "image_folder", "root": str(tmp_path / "images"), "image_size": 8}


def test_an_image_folder_is_never_loaded_whole(tmp_path, folder, monkeypatch):
    given = prior("[C(16,3,1,1,1), SM(10)]", data=folder, training={"epochs": 1, "batch_size": 16})
    expected = evaluated(given)
    from nasd.data import _file_images

    asked = []
    real = _file_images.FileImages.__getitem__
    monkeypatch.setattr(
        _file_images.FileImages, "__getitem__", lambda self, rows: asked.append(len(rows)) or real(self, rows)
    )
    write_embedding(given, tmp_path / "e.zarr")
    assert max(asked) <= 17
    assert same(tmp_path / "e.zarr", expected)["data"]["classes"] == ["ant", "bee", "cat"]


def test_a_damaged_image_is_named(tmp_path, folder):
    (tmp_path / "images/train/bee/3.png").write_bytes(b"not an image")
    with pytest.raises(DataMissingError, match=r"3\.png is damaged"):
        write_embedding(prior("[C(16,3,1,1,1), SM(10)]", data=folder), tmp_path / "e.zarr")


def test_streamed_splits_are_those_of_load(folder):
    for config, classes in ((DataConfig(train_samples=500), (1, 5)), (DataConfig.model_validate(folder), (0, 2))):
        whole, streamed = datasets.load(config, 3, classes), datasets.stream(config, 3, classes)
        assert (whole.classes, whole.transforms) == (streamed.classes, streamed.transforms)
        assert (whole.image_size, whole.channels) == (streamed.image_size, streamed.channels)
        for name, split in streamed.splits.items():
            other = whole.splits[name]
            assert torch.equal(split.labels, other.labels)
            assert torch.equal(split.index, other.index)
            assert torch.equal(split.images[torch.arange(len(split))], other.images)


def test_the_command_on_a_trial_equals_what_the_run_kept(real_run, tmp_path):
    with Run.open(real_run) as run:
        number = next(iter(run.embeddings.kept()))
        kept = run.embeddings.open(number)
    target = tmp_path / "again.zarr"
    done = CliRunner().invoke(embed_command, [str(real_run), "--trial", str(number), "--to", str(target)])
    assert done.exit_code == 0, done.output
    for name in kept.splits:
        assert np.array_equal(kept.read(name).x, Embedding(target).read(name).x)
        assert np.array_equal(kept.read(name).index, Embedding(target).read(name).index)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trial", "9999"], "no trial 9999"),
        (["--net", "[C(1]"], "not an architecture"),
        (["--net", NET, "--device", "moon"], "device moon cannot be used"),
        (["--net", NET, "--dataset", "image_folder", "--data-root", "/nowhere"], "/nowhere"),
        (["--net", "[C(16,3,1,1,1), SM(10)]", "--to", "/proc/nothing/e.zarr"], "/proc/nothing"),
    ],
)
def test_bad_input_is_one_sentence(real_run, arguments, message):
    error = CliRunner().invoke(embed_command, [str(real_run), *arguments]).exception
    assert isinstance(error, NasdError | EmbeddingError | OSError) or "could not" in str(error)
    assert message in str(error)
    assert "\n" not in str(error)


def test_one_of_trial_and_net(real_run):
    done = CliRunner().invoke(embed_command, [str(real_run), "--trial", "1", "--net", NET])
    assert done.exit_code == 2
    assert "one of --trial and --net" in done.output


def test_the_best_trial_unless_another_is_named(real_run, tmp_path):
    assert CliRunner().invoke(embed_command, [str(real_run), "--to", str(tmp_path / "e.zarr")]).exit_code == 0
    with Run.open(real_run) as run:
        assert Embedding(tmp_path / "e.zarr").attributes["architecture"] == run.best(1)[0].net


def test_all_samples_though_the_search_took_a_part(real_run, tmp_path):
    arguments = [str(real_run), "--all-samples", "--to", str(tmp_path / "e.zarr")]
    assert CliRunner().invoke(embed_command, arguments).exit_code == 0
    made = Embedding(tmp_path / "e.zarr")
    with Run.open(real_run) as run:
        kept = run.embeddings.open(next(iter(run.embeddings.kept())))
    assert (kept.splits["train"][0], made.splits["train"][0]) == (300, 1350)
    assert made.attributes["data"]["config"]["train_samples"] is None
    assert np.array_equal(made.labels("val")[1], kept.labels("val")[1])


def test_an_architecture_for_other_images_is_refused(tmp_path):
    given = prior()
    with pytest.raises(NasdError, match="other images"):
        write_embedding(
            replace(given, config=searches.configure(data={"name": "digits", "image_size": 16})), tmp_path / "e.zarr"
        )


def test_too_little_memory_is_said_before_anything_is_computed(tmp_path):
    with pytest.raises(NasdError, match="does not fit in memory"):
        write_embedding(prior(executor={"memory_limit": 1000}), tmp_path / "e.zarr")
