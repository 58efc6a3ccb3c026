"""One HTML page about a run: figures, leaderboard, configuration, provenance. It opens from a file, needs no network
and holds nothing that runs.
"""

import importlib.metadata
import platform
import re
import time
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from nasd import __version__, rooms
from nasd.config import Config
from nasd.errors import NasdError
from nasd.pictures import (
    architecture,
    choices,
    comparison,
    insight,
    leaderboard,
    levels,
    phases,
    q_values,
    rewards,
    source,
    style,
)
from nasd.runs import changes, compare, from_scratch
from store import Run, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 20

_CSS = """
:root { color-scheme: light; }
body { font: 15px/1.5 Inter, Helvetica, Arial, sans-serif; color: #222; background: #f6f7f9; margin: 0; }
main { max-width: 1060px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 34px 0 10px; }
p.sub { color: #5b6470; margin: 0 0 18px; }
.numbers { display: flex; flex-wrap: wrap; gap: 12px; }
.numbers div { background: #fff; border: 1px solid #e3e6eb; border-radius: 8px; padding: 10px 16px; min-width: 120px; }
.numbers b { display: block; font-size: 21px; } .numbers span { color: #5b6470; font-size: 13px; }
figure { background: #fff; border: 1px solid #e3e6eb; border-radius: 8px; margin: 0 0 16px; padding: 14px; }
figure svg { max-width: 100%; height: auto; display: block; margin: 0 auto; }
table { border-collapse: collapse; width: 100%; background: #fff; border: 1px solid #e3e6eb; font-size: 13px; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid #eef0f3; white-space: nowrap; }
th:last-child, td:last-child { text-align: left; white-space: normal; font-family: ui-monospace, monospace; }
table.facts td { text-align: left; font-family: inherit; white-space: normal; }
pre { background: #fff; border: 1px solid #e3e6eb; border-radius: 8px; padding: 14px; overflow-x: auto; }
pre { font-size: 12.5px; }
@media print { body { background: #fff; } figure, table { break-inside: avoid; } }
"""


def report(run: Run, groups: Sequence[compare.Group] = ()) -> str:
    """The page as HTML; with a section that compares `groups`, where there are any.

    Raises:
        NasdError: matplotlib is missing, or the run's config cannot be read.
        StoreError: The run cannot be read.
    """
    config = changes.config_of(run)
    search, best = source.of_run(run), run.best(TOP)
    states = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(run.by_status().items()))
    title = escape(config.name)
    numbers = [
        (_trials(len(search.rewards), config.search.total_trials), "trials that count"),
        (_percent(best[0].reward) if best else "-", "best reward"),
        (_percent(best[0].test_accuracy) if best else "-", "its test accuracy"),
        (f"{len(search.entries):,}", "architectures evaluated"),
    ]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title} · nasd</title><style>{_CSS}</style></head><body><main>",
            f"<h1>{title}</h1><p class=sub>{escape(states or 'no trials yet')}</p>",
            "<div class=numbers>",
            *(f"<div><b>{escape(value)}</b><span>{escape(what)}</span></div>" for value, what in numbers),
            "</div>",
            *_figures(run, config, search, best),
            *_insight(run, search),
            *_comparison(groups),
            "<h2>Best architectures</h2>",
            _leaderboard(best),
            *_from_scratch(run),
            "<h2>Configuration</h2>",
            f"<pre>{escape(changes.text_of(run))}</pre>",
            "<h2>Provenance</h2>",
            _provenance(run),
            "</main></body></html>\n",
        ]
    )


def _trials(counted: int, total: int | None) -> str:
    return f"{counted:,}" if total is None else f"{counted:,} of {total:,}"


def _figures(run: Run, config: Config, search: source.Search, best: list[Trial]) -> list[str]:
    """Those for which there is enough to draw."""
    parts = ["<h2>The search</h2>"]
    makers: list[Callable[[], Figure]] = [
        lambda: rewards.draw_rewards([search]),
        lambda: phases.draw_phases(search),
        lambda: leaderboard.draw_leaderboard([search]),
    ]
    if config.search.strategy == "qlearning":
        makers.append(lambda: q_values.draw_q_values(q_values.of_run(run), search.name))
    if config.search.strategy == "pnas":
        makers.append(lambda: levels.draw_levels(levels.of_run(run), search.name, hover=True))
    if config.search.strategy == "enas":
        makers.append(lambda: choices.draw_choices(choices.of_run(run.path)))
    parts += _drawn(makers, 0)
    if best:
        space, net = rooms.space(config), best[0].net
        drawing = architecture.draw_architecture(
            space.graph(space.parse(net)), net, f"The best: trial {best[0].number}"
        )
        parts.append(_inline(drawing.svg().decode(), len(makers)))
    return parts


def _insight(run: Run, search: source.Search) -> list[str]:
    """What was learned of the space."""
    learned = insight.of_run(run)
    makers: list[Callable[[], Figure]] = [
        lambda: insight.draw_best(search),
        lambda: insight.draw_pareto(learned),
        lambda: insight.draw_importance(learned),
    ]
    return ["<h2>What was learned</h2>", *_drawn(makers, 50)]


def _drawn(makers: "Sequence[Callable[[], Figure]]", first: int) -> list[str]:
    """Figures, numbered from `first`, or why there is too little to draw one."""
    parts = []
    with style.styled():
        for number, make in enumerate(makers, first):
            try:
                parts.append(_inline(levels.with_titles(style.render(make(), "svg").decode()), number))
            except NasdError as error:
                parts.append(f"<p class=sub>{escape(str(error))}</p>")
    return parts


def _comparison(groups: Sequence[compare.Group]) -> list[str]:
    if not groups:
        return []
    with style.styled():
        figure = _inline(style.render(comparison.draw_comparison(groups), "svg").decode(), 100)
    sentences = (
        f"After {compare.shared_trials(groups)} trials, {end.group} is ahead of {end.against} with probability "
        f"{end.probability:.2f} [{end.low:.2f}, {end.high:.2f}]."
        for end in compare.duels(groups)
    )
    return ["<h2>Searches compared</h2>", figure, *(f"<p class=sub>{escape(text)}</p>" for text in sentences)]


def _inline(svg: str, number: int) -> str:
    """A figure for the page: without the head of a file, and with ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\1f{number}-", svg)
    return f"<figure>{svg}</figure>"


def _leaderboard(best: list[Trial]) -> str:
    rows = [
        f"<tr><td>{trial.number}</td><td>{_percent(trial.reward)}</td><td>{_percent(trial.best_validation)}</td>"
        f"<td>{_percent(trial.test_accuracy)}</td><td>{trial.embedding_dim or '-'}</td>"
        f"<td>{escape(trial.net)}</td></tr>"
        for trial in best
    ]
    heads = ("trial", "reward", "best validation", "test", "values", "architecture")
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{''.join(rows)}</table>"


def _from_scratch(run: Run) -> list[str]:
    found = from_scratch.ranking(run.jobs())
    if not found.trained:
        return []
    rows = [
        f"<tr><td>{escape(one.group)}</td><td>{_percent(one.expected)}</td><td>{_percent(one.validation)}</td>"
        f"<td>{_percent(one.test)}</td><td>{escape(one.net)}</td></tr>"
        for one in found.trained
    ]
    heads = ("group", "by the search", "validation", "test", "architecture")
    return [
        "<h2>Trained from scratch</h2>",
        *(f"<p class=sub>{escape(sentence)}</p>" for sentence in found.sentences),
        f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{''.join(rows)}</table>",
    ]


def _provenance(run: Run) -> str:
    devices = sorted({trial.device for trial in run.trials() if trial.device})
    facts = {
        "run": run.name,
        "created": _moment(run.created_at),
        "by nasd": run.version,
        "config, SHA-256": run.config_sha256,
        "forked from": f"{run.forked_from['name']}, after trial {run.forked_from['at']}" if run.forked_from else "-",
        "devices": ", ".join(devices) or "-",
        "report made": _moment(time.time()),
        "with": f"nasd {__version__}, Python {platform.python_version()}, torch {importlib.metadata.version('torch')}",
    }
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in facts.items())
    return f"<table class=facts>{rows}</table>"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


def write(run: Run, path: Path, groups: Sequence[compare.Group] = ()) -> None:
    """Write the page. Errors as `report`; DiskError."""
    style.check_suffix(path, (".html", ".htm"))
    style.write(report(run, groups).encode(), path)
