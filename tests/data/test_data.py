import gzip
import io
import struct
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nasd.config import DataConfig
from nasd.config.data import DATA_SETS
from nasd.data import Description, describe, load, prepare
from nasd.data._registry import LABELLED, SOURCES
from nasd.errors import ConfigError, DataMissingError

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Every download fails at once; the list of addresses that were asked."""
    asked = []

    def refuse(url, timeout):
        asked.append(url)
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return asked


def idx(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(root, folder="MNIST", train=50, test=20, compressed=False):
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, count in (("train", train), ("t10k", test)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for file, content in ((f"{name}-images-idx3-ubyte", idx(images)), (f"{name}-labels-idx1-ubyte", idx(labels))):
            if compressed:
                (raw / f"{file}.gz").write_bytes(gzip.compress(content))
            else:
                (raw / file).write_bytes(content)
    return raw


def test_registry_knows_every_name_of_the_configuration():
    assert {*SOURCES, *LABELLED} == set(DATA_SETS)


def test_digits():
    data = load(DataConfig(), seed=1)
    assert (len(data.train), len(data.validation), len(data.test)) == (1350, 150, 297)
    assert data.train.images.shape == (1350, 1, 8, 8)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.dtype == data.train.index.dtype == torch.int64
    assert int(data.train.images.max()) == 255
    assert describe(DataConfig()) == Description(8, 1, 10) == (data.image_size, data.channels, data.num_classes)
    assert data.to("cpu").train.images is data.train.images


def test_validation_split_is_disjoint_complete_and_fixed_by_the_seed():
    one, same, other = (load(DataConfig(), seed) for seed in (1, 1, 2))
    rows = torch.cat([one.train.index, one.validation.index])
    assert torch.equal(rows.sort().values, torch.arange(1500))
    assert torch.equal(one.validation.index, same.validation.index)
    assert torch.equal(one.train.images, same.train.images)
    assert not torch.equal(one.validation.index, other.validation.index)
    assert torch.equal(one.test.index, torch.arange(297))


def test_index_leads_back_to_the_sample():
    data, whole = load(DataConfig(), 1), SOURCES["digits"].read(Path(), DataConfig()).train
    for split in (data.train, data.validation):
        assert np.array_equal(split.images, whole.images[split.index])
        assert np.array_equal(split.labels, whole.labels[split.index])


def test_train_samples_keeps_the_first_of_the_shuffled_split():
    whole, part = load(DataConfig(), 1), load(DataConfig(train_samples=100), 1)
    assert torch.equal(part.train.index, whole.train.index[:100])
    assert torch.equal(part.validation.index, whole.validation.index)
    assert torch.equal(part.test.labels, whole.test.labels)
    with pytest.raises(ConfigError, match="at least 2"):
        load(DataConfig(train_samples=1), 1)


def test_validation_fraction():
    assert len(load(DataConfig(validation_fraction=0.25), 1).validation) == 375
    assert len(load(DataConfig(validation_fraction=0.0001), 1).validation) == 1


def test_a_validation_split_without_an_image_of_the_chosen_classes_is_refused():
    (label,) = load(config := DataConfig(validation_fraction=0.0001), 1).validation.labels.tolist()
    assert len(load(config, 1, (label,)).validation) == 1
    with pytest.raises(ConfigError, match="no validation image"):
        load(config, 1, ((label + 1) % 10,))


def test_image_size_resizes_and_is_described():
    config = DataConfig(image_size=12)
    data = load(config, 1)
    assert data.test.images.shape == (297, 1, 12, 12)
    assert data.test.images.dtype == torch.uint8
    assert describe(config).image_size == 12
    assert any("12x12" in transform for transform in data.transforms)


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_real_data_from_a_read_only_folder(name, folder, no_network):
    if not (REAL / folder).is_dir():
        pytest.skip(f"the real {folder} is not on this machine")
    data = load(DataConfig(name=name, root=REAL), 1)
    assert (len(data.train), len(data.validation), len(data.test)) == (54000, 6000, 10000)
    assert data.test.labels.bincount().tolist()[0] in (980, 1000)
    assert not no_network


@pytest.mark.parametrize("compressed", [False, True])
def test_idx_files_plain_or_compressed(tmp_path, compressed):
    write_mnist(tmp_path, compressed=compressed)
    data = load(DataConfig(name="mnist", root=tmp_path), 1)
    assert (len(data.train), len(data.validation), len(data.test)) == (45, 5, 20)
    assert data.train.images.shape[1:] == (1, 28, 28)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_missing_data_without_network_is_one_sentence_naming_the_folder(tmp_path, name, no_network):
    for call in (lambda config: load(config, 1), prepare):
        with pytest.raises(DataMissingError) as error:
            call(DataConfig(name=name, root=tmp_path))
        message = str(error.value)
        assert str(tmp_path) in message
        assert "no route to host" in message
        assert "\n" not in message
        assert any(file in message for file in ("train-images-idx3-ubyte", "cifar-10-binary.tar.gz", "cifar-100-bin"))
    assert no_network
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # nothing half fetched is left


def test_missing_data_below_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataMissingError, match="cannot be downloaded"):
        load(DataConfig(name="mnist", root=tmp_path / "file"), 1)


def test_only_the_missing_file_is_downloaded(tmp_path, no_network):
    raw = write_mnist(tmp_path)
    (raw / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataMissingError):
        load(DataConfig(name="mnist", root=tmp_path), 1)
    assert {url.rsplit("/", 1)[1] for url in no_network} == {"t10k-labels-idx1-ubyte.gz"}


def test_root_from_the_environment(tmp_path, monkeypatch):
    write_mnist(tmp_path)
    monkeypatch.setenv("NASD_DATA", str(tmp_path))
    assert load(DataConfig(name="mnist"), 1).name == "mnist"


def test_download_with_a_wrong_sum_is_refused(tmp_path, monkeypatch):
    class Answer(io.BytesIO):
        pass

    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: Answer(b"something else"))
    with pytest.raises(DataMissingError, match="MD5"):
        load(DataConfig(name="cifar10", root=tmp_path), 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("train-images-idx3-ubyte", lambda content: content[:-100], "bytes, not the"),
        ("train-images-idx3-ubyte", lambda content: b"", "not an IDX file"),
        ("train-labels-idx1-ubyte", lambda content: b"\x80\x04K\x05." + content, "not an IDX file"),
        ("t10k-labels-idx1-ubyte", lambda content: idx(np.arange(7, dtype=np.uint8)), "7 labels for 20 images"),
        ("t10k-labels-idx1-ubyte", lambda content: idx(np.full(20, 11, dtype=np.uint8)), "below 10"),
        ("t10k-images-idx3-ubyte", lambda content: idx(np.zeros((20, 9, 9), dtype=np.uint8)), "9x9"),
    ],
)
def test_damaged_idx_file(tmp_path, file, change, said):
    path = write_mnist(tmp_path) / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataMissingError, match=said) as error:
        load(DataConfig(name="mnist", root=tmp_path), 1)
    assert str(path) in str(error.value)


def test_damaged_compressed_idx_file(tmp_path):
    path = write_mnist(tmp_path, compressed=True) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataMissingError, match="cannot be read"):
        load(DataConfig(name="mnist", root=tmp_path), 1)


def cifar10_files():
    random = np.random.default_rng(0)
    for number, name in enumerate([*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]):
        rows = random.integers(0, 256, (20, 3073), dtype=np.uint8)
        rows[:, 0] = (np.arange(20) + number) % 10
        yield name, rows.tobytes()
    yield "batches.meta.txt", b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n"


def write_archive(root):
    with tarfile.open(root / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, content in cifar10_files():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_cifar_from_archive_and_from_folder_are_the_same(tmp_path):
    write_archive(tmp_path)
    packed = load(DataConfig(name="cifar10", root=tmp_path), 1)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, content in cifar10_files():
        (folder / name).write_bytes(content)
    unpacked = load(DataConfig(name="cifar10", root=tmp_path), 1)
    assert packed.train.images.shape == (90, 3, 32, 32)
    assert packed.classes == tuple("abcdefghij")
    assert torch.equal(packed.train.images, unpacked.train.images)
    assert torch.equal(packed.test.labels, (torch.arange(20) + 5) % 10)


def test_cifar100_takes_the_fine_label(tmp_path):
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    rows = np.zeros((30, 3074), dtype=np.uint8)
    rows[:, 0], rows[:, 1] = 7, np.arange(30) + 70
    for name in ("train.bin", "test.bin"):
        (folder / name).write_bytes(rows.tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join(f"class{n}" for n in range(100)))
    config = DataConfig(name="cifar100", root=tmp_path)
    data = load(config, 1)
    assert data.test.labels.tolist() == list(range(70, 100))
    assert describe(config) == (32, 3, 100)


def test_damaged_cifar(tmp_path):
    write_archive(tmp_path)
    archive = tmp_path / "cifar-10-binary.tar.gz"
    archive.write_bytes(archive.read_bytes()[:3000])
    with pytest.raises(DataMissingError, match="damaged"):
        load(DataConfig(name="cifar10", root=tmp_path), 1)
    (tmp_path / "cifar-10-batches-bin").mkdir()
    with pytest.raises(DataMissingError, match=r"lacks data_batch_1\.bin"):
        load(DataConfig(name="cifar10", root=tmp_path), 1)


def write_images(root, parts=("train", "test"), classes=("ant", "bee")):
    for part in parts:
        for number, name in enumerate(classes):
            folder = root / part / name
            folder.mkdir(parents=True)
            for image in range(6):
                Image.new("RGB", (20 + image, 14), (100 * number, 10 * image, 0)).save(folder / f"{image}.png")


def test_image_folder(tmp_path):
    write_images(tmp_path)
    config = DataConfig(name="image_folder", root=tmp_path, image_size=8, validation_fraction=0.25)
    data = load(config, 1)
    assert describe(config) == (8, 3, 2) == (data.image_size, data.channels, data.num_classes)
    assert (len(data.train), len(data.validation), len(data.test)) == (9, 3, 12)
    assert data.classes == ("ant", "bee")
    assert torch.equal(data.test.images[:, 0].amax((1, 2)), 100 * data.test.labels)


def test_image_folder_with_its_own_validation_part(tmp_path):
    write_images(tmp_path, ("train", "test", "val"))
    data = load(DataConfig(name="image_folder", root=tmp_path, image_size=8), 1)
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 12, 12)


@pytest.mark.parametrize("part", ["train", "test"])
def test_image_folder_faults_are_sentences(tmp_path, part):
    config = DataConfig(name="image_folder", root=tmp_path, image_size=8)
    with pytest.raises(DataMissingError, match="train/<class>"):
        describe(config)
    write_images(tmp_path)
    broken = tmp_path / part / "bee" / "3.png"
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(DataMissingError, match=r"3\.png"):
        load(config, 1)
    for file in (tmp_path / part / "bee").iterdir():
        file.unlink()
    with pytest.raises(DataMissingError, match="bee"):
        load(config, 1)
    (tmp_path / part / "bee").rmdir()
    with pytest.raises(DataMissingError, match="same class folders"):
        load(config, 1)
