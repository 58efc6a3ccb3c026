"""A search over some classes of a data set, and an embedding of all of them."""

import pytest
import torch

from nasd import data as datasets
from nasd.config import Config, DataConfig
from nasd.errors import ConfigError
from nasd.evaluators.networks.encoder import Encoder
from nasd.export.deep_prior import DeepPrior, write_embedding
from nasd.runs import create
from nasd.spaces.layers import SearchSpace
from store.embeddings import Embedding
from tests.helpers import searches


def test_only_these_classes_and_no_image_changes_sides():
    whole = datasets.load(DataConfig(), 1)
    some = datasets.load(DataConfig(), 1, (7, 2, 4))
    assert some.classes == ("2", "4", "7")
    assert some.num_classes == 3
    for name, split in some.splits.items():
        chosen = torch.isin(whole.splits[name].labels, torch.tensor([2, 4, 7]))
        assert torch.equal(split.index, whole.splits[name].index[chosen])
        assert torch.equal(split.images, whole.splits[name].images[chosen])
        assert torch.equal(torch.tensor([2, 4, 7])[split.labels], whole.splits[name].labels[chosen])


def test_a_run_is_settled_for_as_many_classes():
    config = Config.model_validate({"data": {"name": "digits"}, "search": {"classes": [0, 1, 2]}})
    assert create.settle(config).space.num_classes == 3
    beyond = Config.model_validate({"data": {"name": "digits"}, "search": {"classes": [0, 10]}})
    with pytest.raises(ConfigError, match=r"no class 10, only 0 to 9"):
        create.settle(beyond)
    with pytest.raises(ConfigError, match="no class 10"):
        datasets.load(DataConfig(), 1, (0, 10))


@pytest.mark.parametrize("classes", [[1], [1, 1, 2], [-1, 2], ["a", 1]])
def test_impossible_classes(classes):
    with pytest.raises(ValueError, match="classes"):
        Config.model_validate({"search": {"classes": classes}})


def test_embed_takes_all_classes_with_the_weights_of_the_search(tmp_path):
    config = searches.configure(search={"classes": [0, 1, 2, 3, 4]})
    settled = create.settle(config)
    net = SearchSpace(settled.space).parse("[C(16,3,1,1,1), SM(5)]")
    prior = DeepPrior(net, 5, settled)
    write_embedding(prior, tmp_path / "e.zarr")
    stored = Embedding(tmp_path / "e.zarr")
    assert stored.attributes["data"]["classes"] == list("0123456789")
    assert set(stored.read("train").y.tolist()) == set(range(10))
    some = datasets.stream(settled.data, settled.seed, settled.search.classes)
    encoders: list[Encoder] = [prior.build(data)[0] for data in (some, prior.load())]
    for one, other in zip(encoders[0].parameters(), encoders[1].parameters(), strict=True):
        assert torch.equal(one, other)
