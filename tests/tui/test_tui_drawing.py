"""How things are written and drawn."""

import pytest
from textual.content import Content

from tui import chart, text


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("[C(32,5,1,2,1)]", "[C(32,5,1,2,1)]"),
        ("a\x1b[31mb", "a␛[31mb"),
        ("a\nb\tc\x7f", "a␊b c␡"),
        ("ab\u202ecd\u200b\x9b", "ab�cd��"),
        ("größer ≥ 5 µs", "größer ≥ 5 µs"),
    ],
)
def test_clean(given: str, written: str) -> None:
    assert text.clean(given) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(None, "–"), (0, "0 s"), (59.4, "59 s"), (61, "1 m 1 s"), (3600, "1 h 0 m"), (100_000, "1 d 3 h"), (-5, "0 s")],
)
def test_duration(seconds: float | None, written: str) -> None:
    assert text.duration(seconds) == written


@pytest.mark.parametrize("seconds", [0, 9.96, 12, 599, 601, 35_999, 36_001, 359_999, 400_000])
def test_short_duration(seconds: float) -> None:
    assert len(text.short_duration(seconds)) <= 5


@pytest.mark.parametrize(
    ("size", "written"), [(0, "0 B"), (999, "999 B"), (1536, "1.5 KiB"), (38 << 30, "38 GiB"), (5 << 50, "5120 TiB")]
)
def test_size(size: int, written: str) -> None:
    assert text.size(size) == written


@pytest.mark.parametrize(("share", "filled"), [(0, 0), (0.5, 5), (1, 10), (2, 10), (-1, 0), (0.999, 10)])
def test_bar(share: float, filled: int) -> None:
    full, rest = text.bar(share, 10)
    assert len(full) + len(rest) == 10
    assert full.count("█") == filled


def test_sparkline() -> None:
    assert text.sparkline([]) == ""
    assert text.sparkline([1, 1, 1]) == "▁▁▁"
    assert text.sparkline([0, 4, 8]) == "▁▅█"


def test_ticks_are_round() -> None:
    assert chart.ticks(0, 1, 6) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert chart.ticks(1, 1960, 6) == [500, 1000, 1500]
    assert chart.ticks(0.7, 0.7, 4) == [0.7]
    for most in range(1, 12):
        assert len(chart.ticks(0.123, 0.871, most)) <= most


@pytest.mark.parametrize("size", [(12, 3), (40, 8), (200, 60)])
@pytest.mark.parametrize("points", [[], [(1, 0.5)], [(index, index % 7 / 7) for index in range(1, 300)]])
def test_chart_has_exactly_its_size(size: tuple[int, int], points: list[tuple[float, float]]) -> None:
    width, height = size
    axes = chart.Axes((1, 300), (0.0, 1.0))
    lines = chart.draw(width, height, axes, [chart.Series(points, "$primary")])
    assert len(lines) == height
    assert {line.cell_length for line in lines} == {width}


def test_there_are_no_half_epochs() -> None:
    lines = chart.draw(120, 8, chart.Axes((1, 5), (0.0, 1.0)), [chart.Series([(1, 0.2), (5, 0.8)], "$primary")])
    assert lines[-1].plain.split() == ["1", "2", "3", "4", "5"]
    shares = chart.draw(120, 8, chart.Axes((1, 5), (0.0, 1.0), x_text=lambda value: f"{value:g}"), [])
    assert "1.5" in shares[-1].plain.split()


@pytest.mark.parametrize(("low", "high"), [(2.8, 4.7), (3.4, 4.8), (0.0, 9.0), (4.1, 4.4), (3.0, 3.05)])
@pytest.mark.parametrize("most", [2, 5, 9, 14])
def test_ticks_of_logarithms_are_round(low: float, high: float, most: int) -> None:
    found = chart.log_ticks(low, high, most)
    assert 1 <= len(found) <= most
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    digits = 3 if high - low < 1 else 1
    assert all(10**value == pytest.approx(float(f"{10**value:.{digits - 1}e}"), rel=1e-6) for value in found)


def test_chart_draws_where_the_points_are() -> None:
    axes = chart.Axes((0, 10), (0.0, 1.0))
    lines = chart.draw(30, 8, axes, [chart.Series([(0, 0.0), (10, 1.0)], "$primary")], [chart.Mark(5, "half", "h")])
    plain = [line.plain for line in lines]
    assert "half" in plain[0]
    assert any(0x2800 < ord(character) < 0x2900 for character in plain[1][-2:]), "the end is at the top right"
    assert any(0x2800 < ord(character) < 0x2900 for character in plain[-2][4:8]), "the start at the bottom left"
    assert sum("┊" in line for line in plain) >= 4


def test_thin_keeps_the_end() -> None:
    points = [(float(index), float(index)) for index in range(1000)]
    thinned = chart.thin(points, 50)
    assert len(thinned) == 50
    assert thinned[-1] == (999, 999)
    assert thinned == sorted(thinned)
    assert chart.thin(points[:10], 50) == points[:10]


def test_content_is_never_markup() -> None:
    assert Content(text.clean("[red]x[/]")).plain == "[red]x[/]"
