"""`make torture` in short: every kind of event once."""

import pytest

from tests.crash.torments import EVENTS
from tests.crash.torture import Torture, short_folder
from tests.helpers import cluster

pytestmark = pytest.mark.crash

OF_FILES = ("kill_at_the_start", "kill_group", "fill_disk", "read_only")  # those that may hit a file on its way


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("strategy", "events"),
    [("qlearning", EVENTS), ("enas", OF_FILES), pytest.param("enas", EVENTS, marks=pytest.mark.slow)],
)
def test_every_event_leaves_the_same_search(strategy, events):
    with short_folder() as home:
        torture = Torture(home, seed=3, trials=60, strategy=strategy)
        try:
            torture.run(torture.draw.sample(sorted(events), len(events)))
            assert torture.counts == dict.fromkeys(events, 1)
            assert torture.finished >= 1
        finally:
            torture.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_event_on_a_ray_cluster_leaves_the_search_of_local_processes():
    cluster.needed()
    from tests.crash.torture_ray import EVENTS as ON_RAY
    from tests.crash.torture_ray import TortureOnRay

    with short_folder() as home:
        torture = TortureOnRay(home, seed=3, trials=60)
        try:
            torture.run(torture.draw.sample(sorted(ON_RAY), len(ON_RAY)))
            assert torture.counts == dict.fromkeys(ON_RAY, 1)
        finally:
            torture.close()
