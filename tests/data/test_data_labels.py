"""Data sets with several labels per image: CODEBRIM's layout, and CSV files."""

import csv

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nasd.config import Config, DataConfig
from nasd.data import describe, fetched, load, prepare, stream
from nasd.errors import ConfigError, DataMissingError
from tests.helpers.codebrim_images import LABELS, generate

DOCTYPE = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;">]>
<Annotation><Defect name="&lol2;"/></Annotation>
"""


@pytest.fixture
def root(tmp_path):
    generate(tmp_path / "codebrim", crops=4, side=32)
    return tmp_path / "codebrim"


def configure(root, **changes):
    return DataConfig(name="codebrim", root=root, **{"image_size": 24, **changes})


def crops(root, split="train", kind="defects"):
    return sorted(path for path in (root / split / kind).iterdir() if "_-_" not in path.name)


def edit(path, old, new, count=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def write_csv(root, rows, name="images.csv"):
    with (root / name).open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def listed(tmp_path):
    """Forty images, and a CSV file of them without splits."""
    random, rows = np.random.default_rng(0), [["path", "red", "dark"]]
    (tmp_path / "images").mkdir()
    for number in range(40):
        red, dark = number % 2, number // 2 % 2
        pixels = np.clip(random.normal(60 if dark else 180, 5, (20, 30, 3)) + red * np.array([70, 0, 0]), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / f"{number}.png")
        rows.append([f"images/{number}.png", red, dark])
    write_csv(tmp_path, rows)
    return tmp_path


def test_the_published_layout(root):
    config = configure(root)
    prepare(config)
    assert describe(config) == (24, 3, 6)
    data = stream(config, seed=1)
    assert data.classes == LABELS
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 4, 4)  # two copies in train
    assert data.train.labels.dtype == torch.bool
    assert data.train.labels.shape == (10, 6)
    background = data.train.labels[:, 0]
    assert background.sum() == 4
    assert not data.train.labels[background][:, 1:].any()
    assert data.train.labels[~background][:, 1:].any(1).all()


def test_images_are_224_unless_said_otherwise(root):
    assert describe(DataConfig(name="codebrim", root=root)).image_size == 224


def test_labels_are_read_by_name_and_a_copy_has_those_of_its_crop(root):
    plain = stream(configure(root), 1)
    path = root / "metadata" / "defects.xml"
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if "<Defect" in line and number % 2:  # every other crop names its labels the other way round
            head, inner = line[: line.index("<Background")], line[line.index("<Background") : line.index("</Defect>")]
            parts = [f"<{label}>{inner[inner.index(f'<{label}>') + len(label) + 2]}</{label}>" for label in LABELS]
            lines[number] = head + "".join(reversed(parts)) + "</Defect>"
    path.write_text("\n".join(lines))
    again = stream(configure(root), 1)
    order = [again.classes.index(label) for label in plain.classes]
    assert torch.equal(again.train.labels[:, order], plain.train.labels)
    names = sorted(path.name for kind in ("background", "defects") for path in (root / "train" / kind).iterdir())
    assert sum("_-_" in name for name in names) == 2


def test_the_same_images_whether_they_are_held_or_decoded_each_time(root):
    held, decoded = (stream(configure(root, resident_limit=limit), 1) for limit in (10**9, 0))
    assert held.images_nbytes > 0
    assert decoded.images_nbytes == 0
    rows = torch.tensor([5, 0, 5, 9])
    assert torch.equal(held.train.images[rows], decoded.train.images[rows])
    drawn = [one.train.images.drawn(torch.Generator().manual_seed(3)) for one in (held, decoded)]
    batches = list(torch.arange(10).split(3))
    for first, second in zip(*(fetched(images, batches) for images in drawn), strict=True):
        assert torch.equal(first, second)


def test_cuts_are_a_function_of_the_stream_and_the_image(root):
    images = stream(configure(root), 1).train.images
    first, again, other = (images.drawn(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    rows = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first[rows], again[torch.arange(10)][rows])  # whatever is asked for together
    assert not torch.equal(first[rows], other[rows])


def test_a_cut_is_a_part_of_the_scaled_image_and_sometimes_mirrored(tmp_path, root):
    name = crops(root)[0]
    ramp = np.broadcast_to(np.arange(48, dtype=np.uint8)[None, :, None], (24, 48, 3))  # each column its own grey
    Image.fromarray(ramp).save(name)
    data = stream(configure(root), 1)
    with Image.open(name) as image:
        assert image.size == (48, 24)
    found, mirrored, row = set(), set(), None
    centre = data.train.images[torch.arange(10)]
    for candidate in range(10):
        if torch.equal(centre[candidate, 0, 0], torch.arange(12, 36, dtype=torch.uint8)):
            row = candidate
    assert row is not None
    for seed in range(200):
        cut = data.train.images.drawn(torch.Generator().manual_seed(seed))[torch.tensor([row])][0]
        line = cut[0, 0].int()
        steps = set(line.diff().tolist())
        assert steps in ({1}, {-1})
        mirrored.add(steps.pop())
        found.add(int(line.min()))
    assert mirrored == {1, -1}
    assert len(found) > 20  # of 25 places
    assert (min(found), max(found)) == (0, 24)


def test_without_augmentation_it_says_so(root):
    data = stream(configure(root, augment=False), 1)
    drawn = data.train.images.drawn(torch.Generator().manual_seed(1))
    assert torch.equal(drawn[torch.arange(10)], data.train.images[torch.arange(10)])
    assert not any("mirrored" in text for text in data.transforms)
    assert any("mirrored" in text for text in stream(configure(root), 1).transforms)


@pytest.mark.parametrize("gone", ["train", "val", "test", "train/defects", "metadata/defects.xml"])
def test_what_is_absent_is_named(root, gone):
    (root / gone).rename(root / "elsewhere")
    with pytest.raises(DataMissingError, match="CODEBRIM holds") as caught:
        prepare(configure(root))
    assert str(root / gone) in str(caught.value)


def test_a_missing_label_is_named(root):
    name = crops(root)[1].name
    path = root / "metadata" / "defects.xml"
    line = next(line for line in path.read_text().splitlines() if f'"{name}"' in line)
    edit(path, line, line.replace("<Crack>1</Crack>", "").replace("<Crack>0</Crack>", ""))
    with pytest.raises(DataMissingError, match=rf"defects.xml: {name} has no label Crack"):
        prepare(configure(root))


def test_a_label_that_is_neither_0_nor_1_is_named(root):
    edit(root / "metadata" / "background.xml", "<Crack>0", "<Crack>maybe")
    with pytest.raises(DataMissingError, match=r"the label Crack of image_.* is 'maybe', not 0 or 1"):
        prepare(configure(root))


def test_metadata_without_its_crop_is_named(root):
    gone = crops(root, "val")[0]
    gone.unlink()
    with pytest.raises(DataMissingError, match=f"has labels of {gone.name}, but no such image"):
        prepare(configure(root))


def test_a_crop_without_metadata_is_named(root):
    crops(root, "test")[0].rename(root / "test" / "defects" / "stranger.png")
    with pytest.raises(DataMissingError, match=r"stranger\.png has no labels"):
        prepare(configure(root))


def test_a_crop_that_is_named_twice_is_named(root):
    path = root / "metadata" / "defects.xml"
    line = next(line for line in path.read_text().splitlines() if "<Defect" in line)
    edit(path, line, f"{line}\n{line}")
    with pytest.raises(DataMissingError, match="two elements named image_"):
        prepare(configure(root))


@pytest.mark.parametrize("limit", [10**9, 0])
def test_a_truncated_image_is_named(root, limit):
    broken = crops(root)[0]
    broken.write_bytes(broken.read_bytes()[:-400])
    prepare(configure(root))
    with pytest.raises(DataMissingError, match=f"{broken.name} is damaged"):
        for _ in fetched(stream(configure(root, resident_limit=limit), 1).train.images, [torch.arange(10)]):
            pass


def test_what_is_no_image_is_named(root):
    broken = crops(root, "test")[1]
    broken.write_bytes(b"no image")
    with pytest.raises(DataMissingError, match=f"{broken.name} is damaged: it is no image"):
        stream(configure(root), 1)


@pytest.mark.parametrize(
    "text", [DOCTYPE, "", "<Annotation>", "\0", '<A><D name=""/></A>', '<?xml version="1.0" encoding="x"?><A/>']
)
def test_metadata_that_is_none_is_refused(root, text):
    (root / "metadata" / "defects.xml").write_text(text)
    with pytest.raises(DataMissingError, match=r"defects\.xml"):
        prepare(configure(root))


pieces = st.sampled_from(
    ["<A>", "</A>", '<D name="a.png">', "</D>", "<Crack>", "</Crack>", "0", "1", "<!DOCTYPE A>", "<!--", "-->",
     "<?xml", "?>", ' encoding="utf-16"', "&lt;", "&x;", "&#0;", "]]>", "\0", "é", "path,a,split\n",
     "x.png,1,val\n", '"', ",", "\n"]
)  # fmt: skip


@pytest.fixture(scope="module")
def junk(tmp_path_factory):
    root = tmp_path_factory.mktemp("junk")
    (root / "metadata").mkdir()
    return root


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(pieces, max_size=20).map(lambda parts: "".join(parts).encode())))
def test_junk_is_refused_in_a_sentence_and_nothing_else(junk, content):
    for name in ("metadata/background.xml", "metadata/defects.xml", "images.csv"):
        (junk / name).write_bytes(content)
    for config in (configure(junk), DataConfig(name="image_csv", root=junk, image_size=16)):
        with pytest.raises(DataMissingError, match=str(junk)) as caught:
            prepare(config)
        assert len(str(caught.value)) < 500 + 3 * len(str(junk))


def test_entities_are_not_even_declared(root):
    (root / "metadata" / "defects.xml").write_text(DOCTYPE)
    with pytest.raises(DataMissingError, match="document type"):
        prepare(configure(root))


def test_any_csv_file_of_labels_works(listed):
    config = DataConfig(name="image_csv", root=listed, image_size=16)
    assert describe(config) == (16, 3, 2)
    data = stream(config, seed=1)
    assert data.classes == ("red", "dark")
    assert (len(data.train), len(data.validation), len(data.test)) == (33, 3, 4)
    assert torch.equal(data.test.labels, stream(config, seed=2).test.labels)
    assert data.train.images[torch.tensor([0, 1])].shape == (2, 3, 16, 16)
    bright = data.train.images[torch.arange(33)][:, 2].float().mean((1, 2)) > 120
    assert torch.equal(bright, ~data.train.labels[:, 1])


def test_a_column_says_which_split_an_image_is_of(listed):
    rows = [["split", "path", "red"]]
    rows += [[("train", "val", "test")[n % 3], f"images/{n}.png", n % 2] for n in range(12)]
    write_csv(listed, rows, "mine.csv")
    data = stream(DataConfig(name="image_csv", root=listed, image_size=16, csv="mine.csv"), seed=1)
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 4, 4)
    assert data.validation.labels[:, 0].tolist() == [True, False, True, False]
    assert data.classes == ("red",)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["path", "red"], ["images/0.png", ""]], "the label red of images/0.png is missing, in line 2"),
        ([["path", "red"], ["images/0.png", "2"]], "is '2', not 0 or 1, in line 2"),
        ([["path", "red"], ["images/0.png"]], "line 2 has 1 cells"),
        ([["path", "red"], ["../0.png", "1"]], "the path '../0.png' in line 2 is not one within"),
        ([["path", "red"], ["/etc/passwd", "1"]], "the path '/etc/passwd' in line 2 is not one within"),
        ([["path", "red"], ["images/a\0.png", "1"]], "in line 2 is not one within"),
        ([["path", "red"], ["images/none.png", "1"]], "none.png is not there"),
        ([["path", "red"], ["images/0.png", "1"], ["images/0.png", "1"]], "a second time, in line 3"),
        ([["path", "red", "split"], ["images/0.png", "1", "dev"]], "is 'dev', not train, val or test"),
        ([["path", "red", "split"], ["images/0.png", "1", "train"]], "no image of the split test"),
        ([["file", "red"], ["images/0.png", "1"]], "its columns are file, red"),
        ([["path", "split"], ["images/0.png", "train"]], "its columns are path, split"),
        ([["path", "red", "red"], ["images/0.png", "1", "1"]], "its columns are"),
        ([], "its columns are none"),
    ],
)
def test_faults_of_a_csv_file_are_named(listed, rows, words):
    write_csv(listed, rows)
    with pytest.raises(DataMissingError) as caught:
        prepare(DataConfig(name="image_csv", root=listed, image_size=16))
    assert words in str(caught.value)


def test_a_link_does_not_lead_out_of_the_folder(listed, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "0.png"
    (listed / "images" / "0.png").rename(outside)
    (listed / "images" / "0.png").symlink_to(outside)
    with pytest.raises(DataMissingError, match="not one within"):
        prepare(DataConfig(name="image_csv", root=listed, image_size=16))


def test_a_csv_file_that_is_not_there(tmp_path):
    with pytest.raises(DataMissingError, match=r"images.csv cannot be read"):
        prepare(DataConfig(name="image_csv", root=tmp_path, image_size=16))


def test_what_several_labels_do_not_go_with():
    labelled = {"name": "image_csv", "image_size": 16}
    with pytest.raises(ValueError, match="set evaluation to training"):
        Config.model_validate({"data": labelled})
    with pytest.raises(ValueError, match=r"search\.classes"):
        Config.model_validate({"data": labelled, "evaluation": "full", "search": {"classes": [0, 1]}})
    with pytest.raises(ValueError, match="needs image_size"):
        DataConfig(name="image_csv")
    with pytest.raises(ConfigError, match="streamed"):
        load(DataConfig(**labelled), 1)
