"""Pixels mean the same in every format: each kind of image against numpy, or refused with the file's name."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from nasd.config import DataConfig
from nasd.data import _pixels, load
from nasd.errors import DataMissingError
from tests.helpers.image_files import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, write_png, write_tiff

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
sides = st.integers(1, 20)


def pixels(path):
    return np.asarray(_pixels.read(path))


def values(draw, dtype, channels=None, high=None):
    shape = (draw(sides), draw(sides), *([channels] if channels else []))
    top = np.iinfo(dtype).max if high is None else high
    return draw(arrays(dtype, shape, elements=st.integers(0, top)))


def grey(of):
    return np.repeat(of.astype(np.uint8)[..., None], 3, axis=2)


@quick
@given(st.data(), st.sampled_from([1, 2, 4, 8, 16]), st.booleans())
def test_grey_png_of_any_depth_interlaced_or_not(tmp_path, data, bits, interlaced):
    of = values(data.draw, np.uint16, high=2**bits - 1)
    write_png(path := tmp_path / "x.png", of, bits, GREY, interlaced=interlaced)
    expected = of >> 8 if bits == 16 else of * (255 // (2**bits - 1))
    assert np.array_equal(pixels(path), grey(expected))


@quick
@given(st.data(), st.sampled_from([8, 16]), st.booleans(), st.sampled_from([RGB, RGBA, GREY_ALPHA]))
def test_colours_and_alpha_in_png(tmp_path, data, bits, interlaced, kind):
    of = values(data.draw, np.uint16, {RGB: 3, RGBA: 4, GREY_ALPHA: 2}[kind], 2**bits - 1)
    write_png(path := tmp_path / "x.png", of, bits, kind, interlaced=interlaced)
    of = of >> (bits - 8)
    expected = grey(of[..., 0]) if kind == GREY_ALPHA else of[..., :3]
    assert np.array_equal(pixels(path), expected)


@quick
@given(st.data(), st.sampled_from([1, 2, 4, 8]), st.booleans())
def test_a_palette_is_looked_up(tmp_path, data, bits, interlaced):
    of = values(data.draw, np.uint8, high=2**bits - 1)
    palette = np.random.default_rng(0).integers(0, 256, (2**bits, 3), dtype=np.uint8)
    write_png(path := tmp_path / "x.png", of, bits, PALETTE, palette, interlaced)
    assert np.array_equal(pixels(path), palette[of])


@quick
@given(st.data(), st.sampled_from(["png", "tiff", "webp", "bmp"]), st.sampled_from(["L", "RGB", "RGBA", "1"]))
def test_lossless_formats_hold_the_same(tmp_path, data, suffix, mode):
    of = values(data.draw, np.uint8, {"RGB": 3, "RGBA": 4}.get(mode), 1 if mode == "1" else None)
    image = Image.fromarray(of * 255).convert("1") if mode == "1" else Image.fromarray(of)
    if suffix == "webp" and mode == "1":
        image = image.convert("L")
    options = {"webp": {"lossless": True, "exact": True}, "tiff": {"compression": "tiff_lzw"}}.get(suffix, {})
    image.save(path := tmp_path / f"x.{suffix}", **options)
    expected = grey(of * 255) if mode == "1" else grey(of) if mode == "L" else of[..., :3]
    assert np.array_equal(pixels(path), expected)


@quick
@given(st.data(), st.booleans())
def test_tiff_of_16_bits_in_either_order(tmp_path, data, big):
    of = values(data.draw, np.uint16)
    image = Image.fromarray(of)
    if big:
        Image.frombytes("I;16B", image.size, of.astype(">u2").tobytes()).save(path := tmp_path / "x.tif")
    else:
        image.save(path := tmp_path / "x.tif")
    assert np.array_equal(pixels(path), grey(of >> 8))


@quick
@given(st.data())
def test_colours_of_16_bits_in_tiff(tmp_path, data):
    of = values(data.draw, np.uint16, 3)
    write_tiff(path := tmp_path / "x.tif", of.astype("<u2").tobytes(), of.shape[1], of.shape[0], (16, 16, 16))
    assert np.array_equal(pixels(path), of >> 8)


@quick
@given(st.data(), st.sampled_from(["png", "tiff", "bmp"]))
def test_palettes_of_other_formats(tmp_path, data, suffix):
    of, palette = values(data.draw, np.uint8), np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(of, "L").convert("P")
    image.putpalette(palette.tobytes())
    image.putdata(of.ravel().tolist())
    image.save(path := tmp_path / f"x.{suffix}")
    assert np.array_equal(pixels(path), palette[of])


@quick
@given(st.data())
def test_floats_from_0_to_1_are_scaled_and_rounded(tmp_path, data):
    of = data.draw(arrays(np.float32, (data.draw(sides), data.draw(sides)), elements=st.floats(0, 1, width=32)))
    Image.fromarray(of).save(path := tmp_path / "x.tif")
    assert np.array_equal(pixels(path), grey(np.rint(of.astype(np.float64) * 255)))


@quick
@given(st.data())
def test_cmyk_in_tiff(tmp_path, data):
    of = values(data.draw, np.uint8, 4)
    Image.frombytes("CMYK", of.shape[1::-1], of.tobytes()).save(path := tmp_path / "x.tif")
    inks = of.astype(float) / 255
    expected = 255 * (1 - inks[..., :3]) * (1 - inks[..., 3:])
    assert np.abs(pixels(path) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg(tmp_path, mode, progressive):
    ramp = np.tile(np.linspace(20, 220, 64), (64, 1))
    image = Image.fromarray(ramp.astype(np.uint8)).convert("RGB").convert(mode)
    image.save(path := tmp_path / "x.jpg", quality=98, subsampling=0, progressive=progressive)
    assert np.abs(pixels(path) - ramp[..., None]).max() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    of = np.zeros((16, 32, 3), np.uint8)
    of[:8, :16] = (200, 40, 90)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 98, "subsampling": 0}}.get(suffix, {})
    Image.fromarray(of).save(path := tmp_path / f"x.{suffix}", exif=exif, **options)
    turned = {
        1: of, 2: of[:, ::-1], 3: of[::-1, ::-1], 4: of[::-1], 5: of.swapaxes(0, 1),
        6: np.rot90(of, -1), 7: np.rot90(of, 2).swapaxes(0, 1), 8: np.rot90(of),
    }[orientation]  # fmt: skip
    found = pixels(path)
    assert found.shape == turned.shape
    assert np.abs(found.astype(int) - turned).max() < (12 if suffix == "jpg" else 1)


def test_tiff_of_12_bits_is_not_taken_for_16(tmp_path):
    of = np.array([[0, 16, 4095, 2048]])
    packed = b"".join(bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255)) for a, b in of.reshape(-1, 2).tolist())
    write_tiff(path := tmp_path / "x.tif", packed, 4, 1, 12)
    assert np.array_equal(pixels(path), grey(of >> 4))


def test_a_negative_of_8_bits_is_inverted(tmp_path):
    of = np.arange(12, dtype=np.uint8).reshape(3, 4)
    write_tiff(path := tmp_path / "x.tif", of.tobytes(), 4, 3, 8, black_is_zero=False)
    assert np.array_equal(pixels(path), grey(255 - of))


def test_premultiplied_alpha_is_undone(tmp_path):
    of = np.array([[[100, 50, 25, 128], [9, 8, 7, 255]]], np.uint8)
    write_tiff(path := tmp_path / "x.tif", of.tobytes(), 2, 1, (8, 8, 8, 8), extra=(1,))
    assert np.abs(pixels(path) - np.array([[[199, 100, 50], [9, 8, 7]]])).max() <= 1


def two(path, **options):
    frames = [Image.new("RGB", (4, 4), (n, 0, 0)) for n in (1, 99)]
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)


def cut(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:700])


REFUSED = {
    "uint32.tif": ("integers of 32 bits", lambda p: write_tiff(p, bytes(16), 2, 2, 32)),
    "int32.tif": ("signed", lambda p: Image.fromarray(np.full((2, 2), 70000, np.int32)).save(p)),
    "int16.tif": ("signed", lambda p: write_tiff(p, bytes(8), 2, 2, 16, sample_format=2)),
    "int8.tif": ("signed", lambda p: write_tiff(p, bytes(4), 2, 2, 8, sample_format=2)),
    "negative16.tif": ("negative", lambda p: write_tiff(p, bytes(8), 2, 2, 16, black_is_zero=False)),
    "float-high.tif": ("0 to 255, and 0 to 1", lambda p: Image.fromarray(np.float32([[0, 255]])).save(p)),
    "float-nan.tif": ("nan", lambda p: Image.fromarray(np.float32([[0, np.nan]])).save(p)),
    "lab.tif": ("L[*]a[*]b", lambda p: Image.new("LAB", (2, 2)).save(p)),
    "animated.png": ("2 pictures", lambda p: two(p, duration=1)),
    "animated.webp": ("2 pictures", lambda p: two(p, duration=1)),
    "pages.tif": ("2 pictures", two),
    "empty.png": ("no image", lambda p: p.write_bytes(b"")),
    "postscript.png": ("no image", lambda p: p.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")),
    "cut.jpg": ("decoded", cut),
    "bands.tif": ("no image", lambda p: write_tiff(p, bytes(12), 1, 2, (8,) * 6, extra=(0, 0, 0), sample_format=3)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused_with_its_name(tmp_path, name):
    said, write = REFUSED[name]
    write(path := tmp_path / name)
    with pytest.raises(DataMissingError, match=said) as error:
        pixels(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pages", [1, 2])
def test_a_photograph_with_a_preview_is_the_photograph(tmp_path, pages):
    frames = [Image.new("RGB", (16, 16), (n, n, n)) for n in (200, 10)]
    frames[0].save(path := tmp_path / "x.jpg", format="MPO", save_all=True, append_images=frames[1:pages])
    assert np.abs(pixels(path).astype(int) - 200).max() < 4


@pytest.mark.parametrize(("width", "height"), [(14000, 13000), (12000, 12000)])
def test_a_huge_image_is_named_with_its_size(tmp_path, width, height):
    """14000 x 13000 is beyond what Pillow itself opens."""
    Image.new("1", (width, height)).save(path := tmp_path / "huge.png")
    limit = Image.MAX_IMAGE_PIXELS
    for call in (_pixels.size, _pixels.read):
        with pytest.raises(DataMissingError, match=rf"huge\.png has {width} x {height} pixels.*at most 134,217,728"):
            call(path)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_photograph_of_108_megapixels_is_read(tmp_path):
    Image.new("1", (12000, 9000)).save(path := tmp_path / "x.png")
    assert _pixels.read(path).size == (12000, 9000)


def test_a_fault_of_this_process_is_not_the_images(tmp_path, monkeypatch):
    Image.new("L", (2, 2)).save(path := tmp_path / "x.png")

    def refuse(*_args, **_options):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OSError, match="Too many open files") as error:
        pixels(path)
    assert not isinstance(error.value, DataMissingError)


def write_folder(root, convert, suffix=".png"):
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in "ab":
            (root / part / name).mkdir(parents=True)
            for number in range(4):
                of = random.integers(0, 200, (16, 20), dtype=np.uint8)
                convert(of).save(root / part / name / f"{number}{suffix}")


def test_a_folder_of_16_bits_is_that_of_8(tmp_path):
    """shared/cases: of the 16-bit form two values were left."""
    write_folder(tmp_path / "g8", Image.fromarray)
    write_folder(tmp_path / "g16", lambda of: Image.fromarray(of.astype(np.uint16) * 257))
    g8, g16 = (load(DataConfig(name="image_folder", root=tmp_path / name, image_size=16), 1) for name in ("g8", "g16"))
    assert len(g8.train.images.unique()) > 150
    assert torch.equal(g8.train.images, g16.train.images)
    assert torch.equal(g8.test.images, g16.test.images)


def test_folders_are_scaled_and_cut_as_torchvision_does(tmp_path):
    from torchvision.transforms import v2

    random = np.random.default_rng(0)
    for width, height in ((20, 33), (9, 9), (64, 31), (15, 14), (200, 7)):
        image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for side in (8, 9, 16):
            expected = v2.Compose([v2.Resize(side, antialias=True), v2.CenterCrop(side), v2.PILToTensor()])(image)
            assert np.array_equal(_pixels.centre(image, side), expected.numpy())
