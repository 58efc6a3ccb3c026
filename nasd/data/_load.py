"""From a configuration to a loaded, split data set."""

import torch
from torch import Tensor
from torch.nn import functional

from nasd.config import DataConfig
from nasd.data._codebrim import IMAGE_SIZE
from nasd.data._file_images import FileImages
from nasd.data._folder import ClassFiles, ImageFolder
from nasd.data._pictures import Crops, Pictures
from nasd.data._record import Data, ImageSplit, Streamed, StreamedSplit
from nasd.data._registry import LABELLED, root, source_of
from nasd.data._source import Description, LabelledFiles, LabelledSource, Part
from nasd.errors import ConfigError

SCALED = "pixels scaled to [0, 1] (float32)"


def describe(config: DataConfig) -> Description:
    """Image size, channels and number of classes, without reading images.

    Raises:
        DataMissingError: An image folder, or a list of images, is not there or faulty. The other data sets' shapes are
            known beforehand.
    """
    if config.name in LABELLED:
        names = LABELLED[config.name].listing(root(config), config).classes
        return Description(config.image_size or IMAGE_SIZE, 3, len(names))
    native = source_of(config).describe(root(config), config)
    return native._replace(image_size=config.image_size or native.image_size)


def prepare(config: DataConfig) -> None:
    """Make sure that the files are there, downloading them on first use.

    Raises:
        DataMissingError: They are not and cannot be; the message names the folder and what belongs in it.
    """
    if config.name in LABELLED:
        LABELLED[config.name].listing(root(config), config)
    else:
        source_of(config).prepare(root(config), config)


def load(config: DataConfig, seed: int, classes: tuple[int, ...] | None = None) -> Data:
    """Read a data set and take its validation split from the training images (10 % of them unless configured).

    Args:
        config: Which data set.
        seed: The run's seed; the validation split depends on nothing else.
        classes: Only these, numbered anew from 0 in ascending order; None: all. The validation split is taken before,
            so that an image that trains in a search over some classes trains in one over all of them too.

    Raises:
        DataMissingError: Files are missing and cannot be downloaded, or are damaged.
        ConfigError: Fewer than two training images would be left, or no validation or test image, or there is no such
            class, or images have several labels each.
    """
    if config.name in LABELLED:
        raise ConfigError(f"{config.name} has several labels per image: it is streamed, not loaded")
    raw = source_of(config).read(root(config), config)
    size = config.image_size or raw.train.images.shape[-1]
    own = None if raw.validation is None else _split(raw.validation, size)
    splits = _split_up(_split(raw.train, size), own, _split(raw.test, size), config, seed)
    train, validation, test = _usable(splits, config, classes, raw.classes)
    resized = [f"resized to {size}x{size} (bilinear, antialiased)"] if size != raw.train.images.shape[-1] else []
    return Data(
        name=config.name,
        train=train,
        validation=validation,
        test=test,
        classes=_named(raw.classes, classes),
        transforms=(*raw.transforms, *resized, SCALED),
    )


def stream(config: DataConfig, seed: int, classes: tuple[int, ...] | None = None) -> Streamed:
    """The same splits as `load`, but the images of an image folder are decoded when they are asked for.

    The other data sets fit into memory and are loaded. Data sets of several labels per image are decoded once if that
    takes at most `config.resident_limit` bytes, else as an image folder. Arguments and errors as `load`; besides,
    DataMissingError is raised by whoever asks for an image that is damaged.
    """
    if config.name in LABELLED:
        return _labelled(LABELLED[config.name], config, seed)
    source = source_of(config)
    if not isinstance(source, ImageFolder):
        data = load(config, seed, classes)
        train, validation, test = (StreamedSplit(s.images, s.labels, s.index) for s in data.splits.values())
        size, channels, classes_left, transforms = data.image_size, data.channels, data.classes, data.transforms
    else:
        files = source.listing(root(config), config)
        own, size, channels = None if files.validation is None else _rows(files.validation), config.image_size or 0, 3
        chosen = _usable(
            _split_up(_rows(files.train), own, _rows(files.test), config, seed), config, classes, files.classes
        )
        train, validation, test = (
            StreamedSplit(FileImages(part.paths, split.images, size), split.labels, split.index)
            for part, split in zip((files.train, files.validation or files.train, files.test), chosen, strict=True)
        )
        classes_left, transforms = _named(files.classes, classes), (*files.transforms, SCALED)
    return Streamed(config.name, train, validation, test, classes_left, transforms, size, channels)


def _labelled(source: LabelledSource, config: DataConfig, seed: int) -> Streamed:
    listed, size = source.listing(root(config), config), config.image_size or IMAGE_SIZE
    pictures = Pictures(listed.paths, size, config.resident_limit)
    starts = (0, len(listed.train.paths), len(listed.train.paths) + len(listed.test.paths))
    own = None if listed.validation is None else _rows(listed.validation)
    splits = _usable(
        _split_up(_rows(listed.train), own, _rows(listed.test), config, seed), config, None, listed.classes
    )
    firsts = (starts[0], starts[0] if own is None else starts[2], starts[1])  # of the parts that the splits come from
    train, validation, test = (
        StreamedSplit(Crops(pictures, first + split.images, augment=config.augment), split.labels, split.index)
        for first, split in zip(firsts, splits, strict=True)
    )
    cut = f"a random {size}x{size} cut out and mirrored with probability 1/2 in training, else the centre"
    transforms = (
        f"shorter side scaled to {size} (bilinear, antialiased)",
        cut if config.augment else f"centre {size}x{size} cut out",
        SCALED,
    )
    return Streamed(
        config.name, train, validation, test, listed.classes, transforms, size, 3, images_nbytes=pictures.nbytes
    )


def _split(part: Part, size: int) -> ImageSplit:
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    return ImageSplit(_resize(images, size), labels, torch.arange(len(labels)))


def _rows(part: ClassFiles | LabelledFiles) -> ImageSplit:
    """A split in which the rows of a part stand for its images until these are decoded."""
    rows = torch.arange(len(part.labels))
    return ImageSplit(rows, torch.from_numpy(part.labels), rows)


def _split_up(
    whole: ImageSplit, own: ImageSplit | None, test: ImageSplit, config: DataConfig, seed: int
) -> tuple[ImageSplit, ImageSplit, ImageSplit]:
    """Training, validation and test split: the training part shuffled, and what is taken from it.

    Nothing is taken where the data set has a validation part of its own.
    """
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))
    held_out = 0 if own is not None else max(1, int(config.validation_fraction * len(whole)))
    return whole.take(order[held_out:]), whole.take(order[:held_out]) if own is None else own, test


def _usable(
    splits: tuple[ImageSplit, ImageSplit, ImageSplit],
    config: DataConfig,
    classes: tuple[int, ...] | None,
    names: tuple[str, ...],
) -> tuple[ImageSplit, ImageSplit, ImageSplit]:
    """The splits with only the classes and only as many training images as are asked for."""
    train, validation, test = splits
    if classes is not None:
        if beyond := [number for number in classes if number >= len(names)]:
            raise ConfigError(f"search.classes: {config.name} has no class {beyond[0]}, only 0 to {len(names) - 1}")
        train, validation, test = (_only(split, classes) for split in splits)
    if config.train_samples is not None:
        train = train.take(torch.arange(min(config.train_samples, len(train))))
    if len(train) < 2:
        raise ConfigError(f"{config.name} leaves {len(train)} training image(s): a search needs at least 2")
    for name, split in {"validation": validation, "test": test}.items():
        if not len(split):
            raise ConfigError(f"{config.name} leaves no {name} image: a search needs at least 1")
    return train, validation, test


def _only(split: ImageSplit, classes: tuple[int, ...]) -> ImageSplit:
    """The samples of these classes, numbered anew."""
    kept = torch.tensor(sorted(classes))
    taken = split.take(torch.isin(split.labels, kept).nonzero().flatten())
    return ImageSplit(taken.images, torch.searchsorted(kept, taken.labels), taken.index)


def _named(names: tuple[str, ...], classes: tuple[int, ...] | None) -> tuple[str, ...]:
    return names if classes is None else tuple(names[number] for number in sorted(classes))


def _resize(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    out = torch.empty((*images.shape[:2], size, size), dtype=torch.uint8)
    for start in range(0, len(images), 1024):  # bounded temporary memory
        chunk = slice(start, start + 1024)
        out[chunk] = functional.interpolate(images[chunk], size=(size, size), mode="bilinear", antialias=True)
    return out
