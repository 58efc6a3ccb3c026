"""zarr's dimension_names: new embeddings have them, those of before are read without."""

import json

import numpy as np
import pytest

from store.embeddings import Embedding, Split, stage
from store.embeddings.description import CHECKSUM, seal


@pytest.fixture
def embedding(tmp_path):
    x, y = np.arange(12, dtype=np.float32).reshape(4, 3), np.eye(4, 2, dtype=np.uint8)
    return stage(tmp_path, {"train": Split(x, y, np.arange(4))}, {"reward": 1.0})


def test_every_array_names_its_dimensions(embedding):
    def names(part):
        return json.loads((embedding / "train" / part / "zarr.json").read_bytes())["dimension_names"]

    assert (names("x"), names("y"), names("index")) == (["sample", "value"], ["sample", "label"], ["sample"])


def test_an_embedding_of_before_is_read(embedding):
    expected = Embedding(embedding).read("train")
    for file in embedding.rglob("zarr.json"):
        described = json.loads(file.read_bytes())
        described.pop("dimension_names", None)
        described["attributes"].pop(CHECKSUM, None)
        file.write_text(json.dumps(described))
    seal(embedding)
    assert list(Embedding(embedding).check()) == []
    found = Embedding(embedding).read("train")
    assert np.array_equal(found.x, expected.x)
    assert np.array_equal(found.y, expected.y)
