"""`make soak` in short."""

import pytest

from tests.crash.soak import short_folder, soak

pytestmark = pytest.mark.crash


@pytest.mark.timeout(300)
def test_nothing_grows_but_the_run():
    with short_folder() as home:
        samples = list(soak(home, trials=1200, clients=5, samples=4))
    first, last = samples[1], samples[-1]  # at the first one not everything is loaded yet
    assert last.memory < first.memory + 20
    assert last.descriptors <= first.descriptors + 10  # clients come and go
    assert last.threads <= first.threads + 2
    assert last.log_files <= 4
