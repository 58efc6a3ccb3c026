import pytest
import torch

from nasd import data as datasets
from tests.helpers import searches


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small tensors on a busy machine; and as the runs say, for bit-equality."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def real_run(tmp_path_factory):
    """A search on digits that keeps two embeddings. Read only."""
    config = searches.configure()
    data = datasets.load(config.data, config.seed)
    return searches.real(tmp_path_factory.mktemp("home") / "small", config, data)


@pytest.fixture(scope="session")
def long_run(tmp_path_factory):
    """200 trials that count, in six phases. Read only."""
    schedule = [[1.0, 80], [0.8, 30], [0.6, 30], [0.4, 30], [0.2, 20], [0.0, 10]]
    return searches.formula(tmp_path_factory.mktemp("long") / "long", searches.configure(schedule))
