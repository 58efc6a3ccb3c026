import pytest

from nasd.evaluators.deep_prior.screening import Screen


def test_the_first_are_all_evaluated():
    screen = Screen(keep=0.5, after=3)
    screen.add(1, 0.9)
    screen.add(2, 0.8)
    assert screen.floor(2) is None
    screen.add(4, 0.7)
    assert screen.floor(3) is None
    assert screen.floor(4) is not None


@pytest.mark.parametrize(("keep", "floor"), [(0.1, 0.9), (0.2, 0.9), (0.5, 0.5), (0.8, 0.4), (1.0, None)])
def test_the_floor_is_the_last_of_the_best_share(keep, floor):
    screen = Screen(keep, after=1)
    for order, score in enumerate((0.4, 0.9, 0.1, 0.5, 0.45), 1):
        screen.add(order, score)
    assert screen.floor(5) == floor


def test_what_came_later_does_not_count():
    screen = Screen(keep=0.5, after=1)
    screen.add(1, 0.4)
    screen.add(3, 0.5)
    before = screen.floor(3)
    screen.add(4, 0.99)
    assert screen.floor(3) == before
    assert screen.floor(2) == 0.4
    assert screen.floor(0) is None
