"""Every screen as a picture, at the smallest size and at a comfortable one. `--snapshot-update` after looking at it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from nasd import protocol as p
from nasd.client import Target
from nasd.graph import Graph, Node
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import Clock, press, settle, until
from tui.app import NasdApp

SIZES = [(80, 24), (160, 48)]
SCREENS = {
    "overview": [],
    "trials": ["2", "down", "down", "down"],
    "trials-sorted": ["2", "s", "f", "f"],
    "trial": ["3"],
    "qtable": ["4", "enter", "enter"],
    "jobs": ["5", "end"],
    "log": ["6"],
    "runs": ["7"],
    "config": ["8"],
    "machine": ["m"],
    "insight": ["9"],
    "insight-front": ["9", "tab", "down"],
    "insight-worth": ["9", "tab", "tab", "down"],
    "trials-chosen": ["2", "v", "down", "space", "down", "down", "space", "down", "space", "down", "space", "enter"],
    "columns": ["2", "v"],
    "save": ["2", "space", "space", "E"],
    "jobs-filtered": ["5", "slash", *"status:lost"],
    "job": ["5", "end", "up", "up", "enter"],
    "help": ["2", "question_mark"],
    "retrain": ["2", "r"],
    "stop": ["X"],
    "export": ["e"],
}


@pytest.fixture(scope="module")
def world() -> World:
    """Five phases in; jobs of every kind."""
    world = World(1960)
    now = world.clock
    job = {"kind": "retrain", "priority": 0, "progress": 0.0}
    world.jobs = [
        p.JobRow(**{
            **job, "id": 1, "summary": "retrain trial 1312, 5 times", "status": "done", "progress": 1.0,
            "created_at": now - 9000, "started_at": now - 8000, "finished_at": now - 7000,
            "result": {"test_accuracy_mean": 0.9043, "test_accuracy_std": 0.0021, "repeats": 5},
        }),
        p.JobRow(**{
            **job, "id": 2, "summary": "retrain trial 1790", "status": "failed", "progress": 0.4,
            "created_at": now - 6000, "started_at": now - 5000, "finished_at": now - 4900,
            "reason": "out of memory three times: 38.2 GiB are needed, 32.0 are there",
        }),
        p.JobRow(**{
            **job, "id": 3, "summary": "retrain trial 1800, 3 times, 120 epochs", "status": "running", "priority": 5,
            "progress": 0.62, "created_at": now - 600, "started_at": now - 300,
        }),
        p.JobRow(**{**job, "id": 4, "summary": "retrain trial 77", "status": "queued", "created_at": now - 200}),
        p.JobRow(**{
            **job, "id": 5, "summary": "retrain trial 9", "status": "cancelled", "created_at": now - 100,
            "finished_at": now - 50,
        }),
        p.JobRow(**{
            **job, "id": 6, "summary": "retrain trial 31, fully trained, on cuda:1", "status": "queued", "paused": True,
            "progress": 0.25, "created_at": now - 40,
        }),
    ]  # fmt: skip
    return world


@pytest.fixture
def served(world: World, folder: Path) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon(folder / "fashion-mnist", world)
    # What is shown of directories must not depend on the machine.
    daemon.shown = Path("/data/nasd/fashion-mnist")
    daemon.others = tuple(
        p.RunRow(name=name, directory=f"/data/nasd/{name}", state=state, trials=trials, counted=trials, total=total,
                 best_reward=best, modified_at=world.clock - 70_000)
        for name, state, trials, total, best in (
            ("codebrim", "stopped", 88, 240, 0.7012),
            ("mnist-2", "paused", 311, 2503, 0.9912),
            ("older", "unreadable", 0, 0, None),
        )
    )  # fmt: skip
    with daemon.thread():
        yield daemon


def shooting(*keys: str) -> Callable[[Pilot[Any]], Any]:
    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await press(pilot, *keys)
        await settle(pilot)

    return before


def app_of(daemon: FakeDaemon) -> NasdApp:
    return NasdApp(Target(directory=daemon.directory), host="gpu-box", clock=Clock())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
def test_screen(snap_compare: Any, served: FakeDaemon, name: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(served), run_before=shooting(*SCREENS[name]), terminal_size=size)


@pytest.mark.parametrize("size", [(120, 40), (250, 80)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", ["insight", "machine"])
def test_screen_of_other_sizes(snap_compare: Any, served: FakeDaemon, name: str, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(served), run_before=shooting(*SCREENS[name]), terminal_size=size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("strategy", "name", "keys"),
    [
        ("random", "overview", []),
        ("random", "trial", ["3"]),
        ("evolution", "overview", []),
        ("evolution", "trials", ["2"]),
        ("evolution", "trial", ["2", "down", "enter"]),
        ("evolution", "population", ["4", "down"]),
        ("pnas", "levels", ["4", "down"]),
        ("pnas", "trial", ["2", "down", "enter"]),
        ("pnas", "insight", ["9", "tab", "tab"]),
        ("enas", "epochs", ["4", "down"]),
    ],
)
def test_screen_of_another_strategy(
    snap_compare: Any, folder: Path, strategy: str, name: str, keys: list[str], size: tuple[int, int]
) -> None:
    daemon = FakeDaemon(folder / "fashion-mnist", World(700 if strategy == "pnas" else 1960, strategy=strategy))
    with daemon.thread():
        assert snap_compare(app_of(daemon), run_before=shooting(*keys), terminal_size=size), (strategy, name)


def test_screen_of_a_search_without_a_known_end(snap_compare: Any, folder: Path) -> None:
    world = World(400, strategy="evolution")
    world.endless = True
    daemon = FakeDaemon(folder / "fashion-mnist", world)
    with daemon.thread():
        assert snap_compare(app_of(daemon), run_before=shooting(), terminal_size=(80, 24))


def test_screen_of_an_architecture_that_branches(
    snap_compare: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = FakeDaemon(folder / "fashion-mnist", World(400, strategy="random"))
    monkeypatch.setattr(daemon.world, "graph", lambda _: cell())
    with daemon.thread():
        assert snap_compare(app_of(daemon), run_before=shooting("3"), terminal_size=(80, 40))


def cell() -> Graph:
    """A stem, a cell of two blocks as PNAS builds them, the classifier."""
    names = (
        ("input", "", 0), ("conv", "3x3", 864), ("separable_conv", "sep 5x5", 1824), ("max_pool", "max 3x3", 0),
        ("add", "", 0), ("identity", "", 0), ("dilated_conv", "dil 3x3", 1312), ("add", "", 0), ("concat", "", 0),
    )  # fmt: skip
    nodes = [
        Node(kind=kind, text=text, shape=(32 if number else 3, 32, 32), parameters=weights,
             group="cell 1" if 2 <= number < 9 else "")
        for number, (kind, text, weights) in enumerate(names)
    ]  # fmt: skip
    nodes.append(Node(kind="classifier", text="SM(10)", shape=(10,), parameters=640))
    edges = ((0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (0, 5), (4, 6), (5, 7), (6, 7), (4, 8), (7, 8), (8, 9))
    return Graph(nodes=tuple(nodes), edges=edges)


@pytest.mark.parametrize("name", ["overview", "trials", "trial"])
def test_screen_in_the_light_theme(snap_compare: Any, served: FakeDaemon, name: str) -> None:
    assert snap_compare(app_of(served), run_before=shooting(*SCREENS[name], "t"), terminal_size=(160, 48))


def test_screen_without_colours(snap_compare: Any, served: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_of(served), run_before=shooting("2"), terminal_size=(80, 24))


def test_screen_of_a_new_run(snap_compare: Any, folder: Path) -> None:
    daemon = FakeDaemon(folder / "fashion-mnist", World(0))
    with daemon.thread():
        assert snap_compare(app_of(daemon), run_before=shooting(), terminal_size=(80, 24))


def test_screen_with_problems_and_old_data(snap_compare: Any, folder: Path) -> None:
    world = World(1960)
    world.problems = ("the disk of the run is full (2.1 MiB free): free some space, the search goes on by itself",)
    world.state, world.activity = "paused", "waiting for disk space"
    daemon = FakeDaemon(folder / "fashion-mnist", world)
    clock = Clock()
    app = NasdApp(Target(directory=daemon.directory), host="gpu-box", clock=clock)

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        clock.now += 12
        app.query_one("Header").renew()  # type: ignore[attr-defined]
        await settle(pilot)

    with daemon.thread():
        assert snap_compare(app, run_before=before, terminal_size=(80, 24))


def test_screen_while_the_daemon_is_away(snap_compare: Any, folder: Path) -> None:
    daemon = FakeDaemon(folder / "fashion-mnist", World(1960))
    app = NasdApp(Target(directory=daemon.directory), host="gpu-box", clock=Clock())

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        daemon.run(daemon.stop())
        await until(lambda: app.link.condition == "lost")
        # The sentence names the socket, whose folder is another in every test; and nobody shall try again now.
        app.workers.cancel_group(app, "link")
        app.link.sentence = "no daemon answers at /data/nasd/fashion-mnist: Connection refused"
        app.query_one("Notice").renew()  # type: ignore[attr-defined]
        await settle(pilot)

    with daemon.thread():
        assert snap_compare(app, run_before=before, terminal_size=(80, 24))
