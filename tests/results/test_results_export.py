"""Exports, each read back by the tool that it is for, bit-equal."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from torchvision.datasets import DatasetFolder

from nasd import export
from nasd.cli.exchange import export_command
from nasd.errors import NasdError
from nasd.evaluators.mini_batches import to_input
from nasd.export.model import export_model, load
from nasd.runs.tables import export as csv_export
from store import EmbeddingError, Run
from store.embeddings import Embedding, Split, layout, stage
from tests.results.test_results_embed import NET, evaluated, prior

CLASSES = 12  # two digits, so that folders need leading zeros
ROWS = {"train": 500, "val": 60, "test": 70}


@pytest.fixture
def embedding(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SHARD_BYTES", 64 * 2 * 5 * 2)
    draw = np.random.default_rng(2)
    splits = {
        name: Split(
            draw.normal(size=(rows, 5)).astype(np.float16),
            np.concatenate([np.arange(CLASSES), draw.integers(0, CLASSES, rows - CLASSES)]),
            draw.permutation(rows + 100)[:rows],
        )
        for name, rows in ROWS.items()
    }
    (tmp_path / "in").mkdir()
    return Embedding(stage(tmp_path / "in", splits, {"architecture": "[…]", "seed": 2**63 - 1}))


def by_index(split):
    order = np.argsort(split.index)
    return Split(split.x[order], split.y[order], split.index[order])


def test_npy_folder_is_read_by_torchvision(tmp_path, embedding):
    export.npy_folder(embedding, tmp_path / "out")
    for name, rows in ROWS.items():
        found = DatasetFolder(
            str(tmp_path / "out" / name), lambda path: torch.from_numpy(np.load(path)), extensions=(".npy",)
        )
        assert len(found) == rows
        expected = by_index(embedding.read(name))
        samples = sorted((path.rsplit("/", 1)[1], target, path) for path, target in found.samples)
        assert [sample[0] for sample in samples] == [f"{index:06}.npy" for index in expected.index]
        assert [sample[1] for sample in samples] == expected.y.tolist()
        x = torch.stack([found.loader(sample[2]) for sample in samples])
        assert torch.equal(x, torch.from_numpy(expected.x))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_npz_is_read_by_numpy(tmp_path, embedding):
    export.npz(embedding, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        for name in ROWS:
            expected = embedding.read(name)
            for part in ("x", "y", "index"):
                array = found[f"{part}_{name}"]
                assert array.dtype == getattr(expected, part).dtype
                assert np.array_equal(array, getattr(expected, part))
        assert json.loads(str(found["attributes"])) == embedding.attributes


def test_parquet_is_read_by_pandas_and_pyarrow(tmp_path, embedding):
    export.parquet(embedding, tmp_path / "out")
    for name in ROWS:
        expected = embedding.read(name)
        frame = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        assert np.array_equal(np.stack(frame["x"].to_list()), expected.x)
        assert np.array_equal(frame["y"], expected.y)
        assert np.array_equal(frame["index"], expected.index)
        table = pq.read_table(tmp_path / "out" / f"{name}.parquet")
        x = table["x"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        assert x.dtype == np.float16
        assert np.array_equal(x.reshape(expected.x.shape), expected.x)
        assert json.loads(table.schema.metadata[b"nasd"]) == embedding.attributes


def test_a_plain_zarr_script_reads_an_embedding_bit_equal(embedding):
    script = (
        "import hashlib, sys, zarr\n"
        "group = zarr.open_group(sys.argv[1], mode='r')\n"
        "for name in ('train', 'val', 'test'):\n"
        "    for part in ('x', 'y', 'index'):\n"
        "        values = group[f'{name}/{part}'][:]\n"
        "        print(values.dtype, *values.shape, hashlib.sha256(values.tobytes()).hexdigest())\n"
        "print(dict(group.attrs)['seed'])\n"
        "assert not {'nasd', 'store', 'torch'} & set(sys.modules)\n"
    )
    arguments = [sys.executable, "-W", "error", "-c", script, str(embedding.path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = [
        " ".join(map(str, (values.dtype, *values.shape, hashlib.sha256(values.tobytes()).hexdigest())))
        for name in ROWS
        for values in (embedding.read(name).x, embedding.read(name).y, embedding.read(name).index)
    ]
    assert done.stdout.splitlines() == [*expected, str(2**63 - 1)]


KILLED = """
import os, signal, sys
from pathlib import Path
from nasd import export
from nasd.export import npy_folder
from store import files
from store.embeddings import Embedding
left = 2
def write(path, data, real=files.write_atomically):
    real(path, data)
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically = write
def sync(path):
    os.kill(os.getpid(), signal.SIGKILL)
files.sync = files.sync if sys.argv[1] == "npy_folder" else sync
getattr(export, sys.argv[1])(Embedding(Path(sys.argv[2])), Path(sys.argv[3]))
"""


@pytest.mark.parametrize("form", ["npy_folder", "npz", "parquet"])
def test_a_killed_export_leaves_nothing_in_its_place(tmp_path, embedding, form, monkeypatch):
    target = tmp_path / "out"
    arguments = [sys.executable, "-c", KILLED, form, str(embedding.path), str(target)]
    assert subprocess.run(arguments, check=False, capture_output=True).returncode == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.part", "in"]
    saved = []
    real = np.save
    monkeypatch.setattr(np, "save", lambda path, *rest, **more: saved.append(path) or real(path, *rest, **more))
    getattr(export, form)(embedding, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    getattr(export, form)(embedding, tmp_path / "again")
    if form == "npy_folder":
        assert len(saved) == 2 * sum(ROWS.values()) - 2 * 128  # two shards were there already
        written = [sorted(p.relative_to(t) for p in t.rglob("*")) for t in (target, tmp_path / "again")]
        assert written[0] == written[1]
    elif form == "npz":
        assert target.stat().st_size == (tmp_path / "again").stat().st_size


KILLED_AT_SYNC = """
import os, signal, sys
from pathlib import Path
from store import Run, files
files.sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)
what, run, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])
if what == "model":
    from nasd.export.model import export_model
    from tests.results.test_results_embed import prior
    export_model(prior(), target)
with Run.open(Path(run)) as opened:
    from nasd.runs.tables import export
    export(opened, what, target)
"""


@pytest.mark.parametrize(
    ("what", "name"), [("replay_buffer", "r.csv"), ("q_values", "q.csv"), ("model", "m.safetensors")]
)
def test_a_killed_export_of_one_file_leaves_the_old_one_or_nothing(real_run, tmp_path, what, name):
    target = tmp_path / name
    old = None if what == "model" else b"the old one"
    if old is not None:
        target.write_bytes(old)
    script = KILLED_AT_SYNC
    arguments = [sys.executable, "-c", script, what, str(real_run), str(target)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=one_thread)
    assert done.returncode == -9, done.stderr
    assert (target.read_bytes() if target.exists() else None) == old
    assert (tmp_path / f".{name}.part").is_dir()
    if what == "model":
        export_model(prior(), target)
        assert load(target).embedding_dim > 0
    else:
        with Run.open(real_run) as run:
            rows = csv_export(run, what, target)
        assert len(pd.read_csv(target)) == rows
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("form", [export.npy_folder, export.npz, export.parquet])
def test_a_taken_place_and_a_damaged_embedding(tmp_path, embedding, form):
    (tmp_path / "out").mkdir()
    with pytest.raises(NasdError, match="exists already"):
        form(embedding, tmp_path / "out")
    (embedding.path / "val/x/c/0/0").unlink()
    with pytest.raises(EmbeddingError, match="is missing"):
        form(embedding, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_several_classes_a_sample(tmp_path):
    y = np.eye(3, dtype=np.uint8)[[0, 1, 2, 0]]
    made = Embedding(stage(tmp_path, {"train": Split(np.zeros((4, 2), np.float32), y, np.arange(4))}, {}))
    with pytest.raises(NasdError, match="several classes"):
        export.npy_folder(made, tmp_path / "folder")
    export.parquet(made, tmp_path / "parquet")
    assert np.array_equal(np.stack(pd.read_parquet(tmp_path / "parquet/train.parquet")["y"]), made.read("train").y)
    export.npz(made, tmp_path / "out.npz")


def test_without_pyarrow_it_says_what_to_install(tmp_path, embedding, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NasdError, match="pip install"):
        export.parquet(embedding, tmp_path / "out")


@pytest.mark.parametrize("statistics", ["batch", "population"])
def test_a_model_embeds_as_the_search_did(tmp_path, statistics):
    from nasd import data as datasets

    given = prior(encoder={"batch_norm_statistics": statistics})
    kept = evaluated(given).validation
    data = datasets.load(given.config.data, given.config.seed)
    images = to_input(data.validation.images)
    export_model(given, tmp_path / "m.safetensors")
    with torch.inference_mode():
        parts = [load(tmp_path / "m.safetensors")(images[start : start + 128]) for start in range(0, len(images), 128)]
    assert torch.equal(torch.cat(parts), kept.x)
    tensors = safetensors.torch.load_file(tmp_path / "m.safetensors")
    assert any(name.endswith("running_mean") for name in tensors)
    with safetensors.safe_open(tmp_path / "m.safetensors", "pt") as file:
        assert file.metadata()["architecture"] == NET
        assert json.loads(file.metadata()["nasd"])["encoder"]["batch_norm_statistics"] == statistics


def test_a_loaded_model_may_be_trained(tmp_path):
    """Its batch norms may turn values round, and are then what torch makes of them."""
    export_model(prior(), tmp_path / "m.safetensors")
    model, images = load(tmp_path / "m.safetensors"), torch.rand(5, 1, 8, 8)
    for norm in model.norms():
        norm.weight.data.neg_()
        norm.bias.data.fill_(0.5)
    with torch.no_grad():
        expected = model(images)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow  # torch.export takes half a minute on a busy machine
def test_a_program_runs_without_nasd(tmp_path):
    from nasd import data as datasets

    given = prior()
    kept = evaluated(given).test
    images = to_input(datasets.load(given.config.data, given.config.seed).test.images)[:37].contiguous()
    safetensors.torch.save_file({"images": images, "expected": kept.x[:37].contiguous()}, tmp_path / "io.safetensors")
    export_model(given, tmp_path / "m.pt2")
    script = (
        "import sys, torch, safetensors.torch as s\n"
        "io = s.load_file(sys.argv[1])\n"
        "model = torch.export.load(sys.argv[2]).module()\n"
        "torch.testing.assert_close(model(io['images']), io['expected'])\n"
        "assert model(io['images'][:1]).shape[0] == 1\n"
        "assert 'nasd' not in sys.modules\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path / "io.safetensors"), str(tmp_path / "m.pt2")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(NasdError, match=r"end in \.safetensors"):
        export_model(prior(), tmp_path / "m.onnx")
    (tmp_path / "a.safetensors").write_bytes(b"\x00" * 20)
    safetensors.torch.save_file({"x": torch.zeros(1)}, tmp_path / "b.safetensors")
    for name in ("a", "b", "nothing"):
        with pytest.raises(NasdError, match=f"{name}.safetensors"):
            load(tmp_path / f"{name}.safetensors")


def test_the_commands(real_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Run.open(real_run) as run:
        number = next(iter(run.embeddings.kept()))
        rows = run.embeddings.open(number).read("val")
    for form, path in (("npz", f"trial-{number:06}.npz"), ("npy-folder", "folder"), ("parquet", "p")):
        arguments = ["embeddings", str(real_run), "--trial", str(number), "--to", form]
        arguments += [] if form == "npz" else ["-o", path]
        done = CliRunner().invoke(export_command, arguments)
        assert done.exit_code == 0, done.output
        assert path in done.output
    with np.load(f"trial-{number:06}.npz") as found:
        assert np.array_equal(found["x_val"], rows.x)
    done = CliRunner().invoke(export_command, ["model", str(real_run), "--trial", str(number)])
    assert done.exit_code == 0, done.output
    assert load(tmp_path / f"trial-{number:06}.safetensors").embedding_dim == rows.x.shape[1]
    with Run.open(real_run) as run:
        other = next(t.number for t in run.trials() if t.status == "evaluated" and t.embedding is None)
    error = CliRunner().invoke(export_command, ["embeddings", str(real_run), "--trial", str(other), "--to", "npz"])
    assert "nasd embed" in str(error.exception)
    assert CliRunner().invoke(export_command, ["embeddings", str(real_run), "--to", "npz"]).exit_code == 2
