"""Image folders as they are on people's disks: what systems leave there, and links."""

import os

import numpy as np
import pytest
from PIL import Image

from nasd.config import DataConfig
from nasd.data import describe, fingerprint, load
from nasd.data._fingerprint import difference
from nasd.errors import DataMissingError


@pytest.fixture
def root(tmp_path):
    """Two classes of three images, each of its own value."""
    for part in ("train", "test"):
        for place, name in enumerate("ab"):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for number in range(3):
                image = Image.new("RGB", (8, 8), (100 * place + 10 * number, 0, part == "test"))
                image.save(tmp_path / "images" / part / name / f"{number:03}.png")
    return tmp_path / "images"


def read(root):
    return load(DataConfig(name="image_folder", root=root, image_size=8), 1)


def sizes(root):
    data = read(root)
    return len(data.train) + len(data.validation), len(data.test)


def test_what_systems_leave_behind_is_skipped(root):
    for part in ("train", "test"):
        (root / part / "a" / "._000.png").write_bytes(b"Mac OS X")
        (root / part / "a" / "notes.txt").write_text("no image")
        for hidden in (part, f"{part}/a"):
            for name in (".ipynb_checkpoints", "@eaDir", "__MACOSX", "#recycle", ".thumbs"):
                (root / hidden / name).mkdir()
                (root / hidden / name / "000.png").write_bytes((root / "train/a/000.png").read_bytes())
    (root / "train" / "lost+found").mkdir()
    assert describe(DataConfig(name="image_folder", root=root, image_size=8)).num_classes == 2
    assert read(root).classes == ("a", "b")
    assert sizes(root) == (6, 6)


@pytest.mark.parametrize("target", [".", "..", "../..", "../../..", "/", "../../test/a", "../b", "deep"])
@pytest.mark.parametrize("place", ["train/a/self", "train/a/deep/self"])
def test_links_that_lead_back_or_across_are_not_followed(root, place, target):
    """shared/cases: 36 images became 756, some in both splits."""
    (root / "train/a/deep").mkdir()
    (root / "train/a/000.png").rename(root / "train/a/deep/000.png")
    link = root / place
    link.symlink_to(target if target.startswith("/") else os.path.relpath(root / "train/a" / target, link.parent))
    assert sizes(root) == (6, 6)


def test_a_class_that_is_a_link_to_what_holds_it_is_none(root):
    (root / "train" / "self").symlink_to(".")
    (root / "test" / "up").symlink_to("..")
    assert sizes(root) == (6, 6)


def test_links_to_elsewhere_are_followed_once(root, tmp_path):
    (tmp_path / "more" / "deep").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "more" / "deep" / "x.png")
    (tmp_path / "more" / "deep" / "loop").symlink_to("..")
    (root / "train" / "a" / "more").symlink_to(tmp_path / "more")
    (root / "train" / "a" / "again").symlink_to(tmp_path / "more" / "deep")
    assert sizes(root) == (7, 6)
    (root / "train" / "b").rename(tmp_path / "b")
    (root / "train" / "b").symlink_to(tmp_path / "b")
    assert sizes(root) == (7, 6)


def test_a_linked_image_is_one_and_a_dead_link_is_named(root, tmp_path):
    (root / "train" / "a" / "000.png").rename(tmp_path / "000.png")
    (root / "train" / "a" / "000.png").symlink_to(tmp_path / "000.png")
    assert sizes(root) == (6, 6)
    (tmp_path / "000.png").unlink()
    with pytest.raises(DataMissingError, match=r"train/a/000\.png is a link to an image that is not there"):
        read(root)


def test_names_that_are_no_utf_8(root):
    """Of files they may be; of classes they could be told to nobody."""
    folder = os.fsencode(root / "train")
    image = root / "train" / "a" / "000.png"
    frozen = fingerprint(DataConfig(name="image_folder", root=root, image_size=8))
    with open(folder + b"/a/\xff.png", "wb") as copy:  # noqa: PTH123
        copy.write(image.read_bytes())
    assert sizes(root) == (7, 6)
    now = fingerprint(DataConfig(name="image_folder", root=root, image_size=8))
    assert difference(frozen, now) == r"file train/a/\udcff.png is new"
    os.mkdir(folder + b"/\xe9")  # noqa: PTH102
    with pytest.raises(DataMissingError, match=r"'\\udce9' is not UTF-8: rename it"):
        read(root)


def test_a_pipe_is_no_image(root):
    os.mkfifo(root / "train" / "a" / "pipe.png")
    with pytest.raises(DataMissingError, match=r"pipe\.png is no file: remove it"):
        read(root)


def test_images_come_in_torchvisions_order(root):
    from torchvision.datasets import ImageFolder

    for name in ("a/deep", "a/deeper/down", "b/Z"):
        (root / "test" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (len(name), 9, 9)).save(root / "test" / name / "1.JPG", quality=100)
    expected = ImageFolder(str(root / "test"))
    found = read(root).test
    assert found.labels.tolist() == expected.targets
    assert [image[0, 0, 0].item() for image in found.images] == [
        np.asarray(expected[row][0])[0, 0, 0] for row in range(len(expected))
    ]
