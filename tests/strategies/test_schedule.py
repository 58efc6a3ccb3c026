import pytest

from nasd.config import PUBLISHED_SCHEDULE
from nasd.strategies.qlearning.schedule import schedule_position


@pytest.mark.parametrize(
    ("counted", "position"),
    [
        (0, (0, 1.0, 0)),
        (1499, (0, 1.0, 1499)),
        (1500, (1, 0.9, 0)),
        (1599, (1, 0.9, 99)),
        (2400, (10, 0.0, 0)),
        (2402, (10, 0.0, 2)),
        (2403, (10, 0.0, 3)),
        (9999, (10, 0.0, 3)),
    ],
)
def test_where_a_search_stands(counted: int, position: tuple[int, float, int]) -> None:
    assert schedule_position(PUBLISHED_SCHEDULE, counted) == position
