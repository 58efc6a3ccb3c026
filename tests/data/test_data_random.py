"""Made-up images."""

import torch

from nasd.config import DataConfig
from nasd.data import describe, fingerprint, load


def test_they_are_the_same_each_time_and_have_all_classes():
    config = DataConfig(name="random", image_size=16)
    one, again = load(config, 1), load(config, 1)
    assert torch.equal(one.train.images, again.train.images)
    assert describe(config) == (16, 3, 10)
    assert one.train.images.shape == (180, 3, 16, 16)
    for split in one.splits.values():
        assert split.labels.min() >= 0
    assert sorted(set(one.train.labels.tolist())) == list(range(10))
    assert fingerprint(config) == fingerprint(config)
