"""Figures and the report: what is in them, in every format, and what is said where nothing can be drawn."""

import re
import shutil
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nasd.cli.plot import plot_command, report_command
from nasd.daemon.history import History
from nasd.errors import NasdError
from nasd.pictures import graphviz, insight, source
from nasd.pictures.insight import draw_best, draw_pareto
from nasd.pictures.q_values import END, of_csv, of_run
from nasd.pictures.rewards import draw_rewards
from nasd.pictures.style import styled
from nasd.runs.opening import search_of
from nasd.runs.published.table import CsvError
from nasd.runs.tables import export
from nasd.strategies.base import Progress
from nasd.strategies.qlearning.strategy import initial_q
from store import Run
from tests.helpers import searches

NET = "[C(32,3,1,1,0), P(2,2,0,0), C(64,5,2,2,1), SM(10)]"
TEXT = "{http://www.w3.org/2000/svg}text"


def draw(*arguments):
    done = CliRunner().invoke(plot_command, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def search(long_run):
    with Run.open(long_run) as run:
        return source.of_run(run)


def looks_like(path, form):
    content = path.read_bytes()
    if form == "png":
        with Image.open(path) as image:
            assert image.width > 400
            assert len(set(np.asarray(image.convert("L")).ravel().tolist())) > 20
    elif form == "svg":
        assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
    else:
        assert content.startswith(b"%PDF")


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
@pytest.mark.parametrize(
    "kind", ["rewards", "leaderboard", "phases", "q-values", "architecture", "best", "pareto", "importance"]
)
def test_every_picture_in_every_format_and_the_same_again(long_run, tmp_path, kind, form):
    for name in ("a", "b"):
        assert draw(kind, long_run, "-o", tmp_path / f"{name}.{form}").exit_code == 0
        looks_like(tmp_path / f"{name}.{form}", form)
    assert (tmp_path / f"a.{form}").read_bytes() == (tmp_path / f"b.{form}").read_bytes()


def test_the_rolling_reward_is_the_one_that_the_daemon_shows(long_run, search):
    with Run.open(long_run) as run:
        rewards = run.rewards()
        history = History()
        history.load({}, rewards.numbers, rewards.rewards, rewards.of_stages)
    shown = [point.mean for point in history.rewards(2000, Progress(0, None, 0, ())).points[19:]]
    assert search.rolling == pytest.approx(shown)
    with styled():
        (axes,) = draw_rewards([search]).axes
    line = next(line for line in axes.lines if len(line.get_xdata()) == len(shown))
    assert line.get_ydata() == pytest.approx(shown)
    assert line.get_xdata()[0] == 20
    written = [text.get_text() for text in axes.texts]
    assert [float(text.removeprefix("e=")) for text in written] == [1, 0.8, 0.6, 0.4, 0.2, 0]


def test_phases_are_those_of_the_schedule(search):
    assert [(p.label, p.stop - p.start) for p in search.phases] == [
        ("e=1", 80), ("e=0.8", 30), ("e=0.6", 30), ("e=0.4", 30), ("e=0.2", 20), ("e=0", 10),
    ]  # fmt: skip


def test_before_twenty_trials_there_is_no_mean(tmp_path):
    directory = searches.formula(tmp_path / "short", searches.configure([[1.0, 19]]))
    with pytest.raises(NasdError, match="19 trials"):
        draw("rewards", directory, "-o", tmp_path / "r.png")
    assert not (tmp_path / "r.png").exists()
    draw("phases", directory, "-o", tmp_path / "p.png")


def test_a_published_csv_draws_the_same(long_run, search, tmp_path):
    with Run.open(long_run) as run:
        export(run, "replay_buffer", tmp_path / "long.csv", unit="percent")
    again = source.of_csv(tmp_path / "long.csv")
    assert np.array_equal(again.rewards, search.rewards)
    assert again.stages == search.stages
    assert [(e.net, e.reward) for e in again.entries] == [(e.net, e.reward) for e in search.entries]
    for kind in ("rewards", "leaderboard", "phases"):
        draw(kind, "--csv", tmp_path / "long.csv", "-o", tmp_path / f"{kind}.svg")
        looks_like(tmp_path / f"{kind}.svg", "svg")
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CsvError, match="header lacks"):
        draw("rewards", "--csv", tmp_path / "no.csv", "-o", tmp_path / "x.svg")


def test_several_runs_are_ranked_in_one_figure(long_run, tmp_path):
    other = searches.formula(tmp_path / "other", searches.configure([[1.0, 30]]))
    for kind in ("rewards", "leaderboard"):
        draw(kind, long_run, other, "-o", tmp_path / f"{kind}.png")
    with Run.open(long_run) as one, Run.open(other) as two, styled():
        (axes,) = draw_rewards([source.of_run(one), source.of_run(two)]).axes
    assert {text.get_text().strip() for text in axes.texts} == {"long", "other"}
    assert draw("phases", long_run, other, "-o", tmp_path / "p.png").exit_code == 2


def test_q_values_are_placed_by_layer(long_run):
    with Run.open(long_run) as run:
        choices, values = of_run(run), list(search_of(run).strategy.written())
    assert len(choices) == len(values)
    assert {choice.place for choice in choices if choice.kind.startswith("conv")} == {1, 2, 3}
    assert min(choice.place for choice in choices if choice.kind == END) == 1


def test_published_q_values_draw_the_same(long_run, tmp_path):
    with Run.open(long_run) as run:
        export(run, "q_values", tmp_path / "long.csv")
        known = of_run(run)
    again = of_csv(tmp_path / "long.csv")
    # The file also lists the actions that were never taken, with their initial value.
    assert set(known) <= set(again)
    assert {choice.value for choice in set(again) - set(known)} == {initial_q(searches.configure([[1.0, 1]]))}
    assert draw("q-values", "--csv", tmp_path / "long.csv", "-o", tmp_path / "q.svg").exit_code == 0
    looks_like(tmp_path / "q.svg", "svg")
    assert draw("q-values", long_run, "--csv", tmp_path / "long.csv", "-o", tmp_path / "x.svg").exit_code == 2
    (tmp_path / "no.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CsvError, match="header lacks"):
        draw("q-values", "--csv", tmp_path / "no.csv", "-o", tmp_path / "x.svg")


def test_an_architecture_is_drawn_without_matplotlib(long_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    draw("architecture", long_run, "--net", NET, "--with", "own", "-o", tmp_path / "a.svg")
    words = [text.text for text in ElementTree.parse(tmp_path / "a.svg").iter(TEXT)]
    assert NET in words
    for name in ("image", "residual block", "max pooling", "convolution", "embedding", "linear classifier"):
        assert name in words
    assert "→ 64 × 2×2" in words
    with pytest.raises(NasdError, match="pip install"):
        draw("architecture", long_run, "--net", NET, "--with", "own", "-o", tmp_path / "a.png")
    with pytest.raises(NasdError, match="pip install"):
        draw("rewards", long_run, "-o", tmp_path / "r.png")


needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz's dot is not on the PATH")


@needs_dot
def test_graphviz_draws_where_it_is_installed(long_run, tmp_path):
    layers = ", ".join(["C(16,3,1,1,1)"] * 20)
    for net, convolutions in ((NET, 1), (f"[{layers}, SM(10)]", 20)):
        for arguments in ([], ["--with", "graphviz"]):
            assert draw("architecture", long_run, "--net", net, *arguments, "-o", tmp_path / "a.svg").exit_code == 0
            content = (tmp_path / "a.svg").read_text()
            assert "Generated by graphviz" in content
            words = " ".join(text.text for text in ElementTree.fromstring(content).iter(TEXT))
            assert "linear classifier" in words
            assert words.count("convolution") == convolutions


@needs_dot
@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_graphviz_and_our_own_in_every_format(long_run, tmp_path, form):
    for by in ("graphviz", "own"):
        draw("architecture", long_run, "--net", NET, "--with", by, "-o", tmp_path / f"{by}.{form}")
        looks_like(tmp_path / f"{by}.{form}", form)
    assert (tmp_path / f"own.{form}").read_bytes() != (tmp_path / f"graphviz.{form}").read_bytes()


@needs_dot
def test_graphviz_s_pdf_has_no_date_of_its_own():
    content = graphviz.render("digraph {a -> b}", "pdf")
    assert re.findall(rb"CreationDate \(D:(\d{4})", content) in ([b"1970"], [])


def a_dot(folder, monkeypatch, script):
    """A program of that name, the only one on the PATH; None: there is none."""
    folder.mkdir()
    if script is not None:
        (folder / "dot").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "not on the PATH"),
        ("echo first; echo 'Error: no layout' >&2; exit 1", "failed (Error: no layout)"),
        ("exit 0", "failed (exit code 0)"),
    ],
)
def test_a_graphviz_that_does_not_draw(long_run, tmp_path, monkeypatch, script, said):
    a_dot(tmp_path / "bin", monkeypatch, script)
    arguments = ["architecture", long_run, "--net", NET, "-o", tmp_path / "a.svg"]
    with pytest.raises(NasdError, match=re.escape(said)):
        draw(*arguments, "--with", "graphviz")
    assert not (tmp_path / "a.svg").exists()
    done = draw(*arguments)
    assert done.exit_code == 0
    assert done.stderr == "" if script is None else said in done.stderr
    assert NET in [text.text for text in ElementTree.parse(tmp_path / "a.svg").iter(TEXT)]


def test_a_graphviz_that_hangs_is_ended(tmp_path, monkeypatch):
    a_dot(tmp_path / "bin", monkeypatch, "exec /bin/sleep 100")
    with pytest.raises(NasdError, match="did not draw within"):
        graphviz.render("digraph {}", "svg", timeout=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rewards", "-o", "x.gif"], r"x\.gif must end in"),
        (["architecture", "--net", "[C(1]", "-o", "x.svg"], "not an architecture"),
        (["architecture", "--trial", "9999", "-o", "x.svg"], "no trial 9999"),
    ],
)
def test_bad_input_is_one_sentence(long_run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NasdError, match=message):
        draw(arguments[0], long_run, *arguments[1:])
    assert list(tmp_path.iterdir()) == []


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.ids += [value for name, value in attrs if name == "id"]


def test_the_best_so_far_only_rises_to_the_best_reward(search):
    with styled():
        (axes,) = draw_best(search).axes
    best = next(line for line in axes.lines if line.get_label() == "best so far").get_ydata()
    assert list(best) == sorted(best)
    assert best[-1] == max(search.rewards)


@pytest.mark.parametrize("axis", ["parameters", "embedding"])
def test_the_front_names_the_best_trial(long_run, search, tmp_path, axis):
    assert draw("pareto", long_run, "--against", axis, "-o", tmp_path / "front.svg").exit_code == 0
    with Run.open(long_run) as run:
        learned = insight.of_run(run)
    with styled():
        (axes,) = draw_pareto(learned, axis).axes
    assert str(learned.numbers[learned.rewards.argmax()]) in {text.get_text() for text in axes.texts}


def test_a_front_against_what_nobody_measured_says_so(long_run, tmp_path):
    with pytest.raises(NasdError, match="no evaluated trial with known seconds"):
        draw("pareto", long_run, "--against", "seconds", "-o", tmp_path / "front.svg")


def test_of_too_few_trials_nothing_is_said_to_be_worth_anything(tmp_path):
    short = searches.formula(tmp_path / "short", searches.configure([[1.0, 3]]))
    with pytest.raises(NasdError, match=r"short has \d+ evaluated architectures, too few"):
        draw("importance", short, "-o", tmp_path / "it.svg")


def test_the_report_is_one_page_that_needs_nothing_else(long_run, search, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(report_command, [str(long_run)]).exit_code == 0
    text = (tmp_path / "long.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.tags.count("svg") == 8
    assert not {"script", "link", "iframe", "img"} & set(page.tags)
    within = [address for address in page.addresses if not address.startswith("data:image/png")]
    assert within
    assert all(address[0] == "#" and address[1:] in page.ids for address in within)
    assert len(page.ids) == len(set(page.ids))
    for reference in re.findall(r"url\(#([^)]+)\)", text):
        assert reference in page.ids
    assert search.entries[0].net in text
    with Run.open(long_run) as run:
        assert run.config_sha256 in text
        assert run.config[:40] in text


def test_a_report_of_an_empty_run_says_what_is_missing(tmp_path):
    from nasd import config as configuration
    from nasd.runs.report import report

    with Run.create(tmp_path / "empty", configuration.dump(searches.configure()), name="<b>", version="0") as run:
        text = report(run)
    assert "no trials yet" in text
    assert "<b>" not in text.split("<main>")[1].replace("<b>", "", 4)
