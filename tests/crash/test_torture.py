"""`make torture` in short: every kind of event once."""

import pytest

from tests.crash.torture import EVENTS, Torture, short_folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("strategy", ["qlearning", "enas"])
def test_every_event_leaves_the_same_search(strategy):
    with short_folder() as home:
        torture = Torture(home, seed=3, trials=60, strategy=strategy)
        try:
            torture.run(torture.draw.sample(sorted(EVENTS), len(EVENTS)))
            assert torture.counts == dict.fromkeys(EVENTS, 1)
            assert torture.finished >= 1
        finally:
            torture.close()
