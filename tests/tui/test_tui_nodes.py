"""Workers on a cluster, by node."""

from pathlib import Path

import msgspec

from nasd import protocol as p
from tests.helpers.fake_daemon import FakeDaemon
from tests.helpers.fake_search import World
from tests.helpers.pilot import attached, screen
from tui.panes import overview_nodes


def worker(id: int, node: str = "", **other: object) -> p.WorkerStatus:
    return p.WorkerStatus(id=id, device="cpu", pid=id if node else None, **{"state": "busy", "node": node, **other})  # type: ignore[arg-type]


def node(name: str, taken: float = 8, gpus: float = 0) -> p.Node:
    return p.Node(name=name, cpus=8, cpus_taken=taken, gpus=gpus, gpus_taken=gpus)


def lines(workers: list[p.WorkerStatus], nodes: list[p.Node], width: int = 38, height: int = 10) -> list[str]:
    found = overview_nodes.by_node(workers, nodes, width, height)
    assert len(found) <= height
    assert all(line.cell_length <= width for line in found)
    return [line.plain for line in found]


def test_sixty_four_workers_are_seen_in_ten_lines() -> None:
    workers = [worker(id, f"box-{id % 8}") for id in range(64)]
    workers[3] = worker(3, "box-3", state="idle")
    said = lines(workers, [node(f"box-{n}") for n in range(8)])
    assert len(said) == 8
    assert said[0] == "● box-0 8/8 busy  8/8 CPU"
    assert said[3] == "● box-3 7/8 busy  8/8 CPU"


def test_what_has_no_place_says_why() -> None:
    workers = [worker(0, "one"), worker(1, state="starting")]
    workers += [worker(id, state="gone", waits_for="waiting for 1 GPU: taken on every node") for id in (2, 3)]
    assert lines(workers, [node("one", gpus=2)], width=60) == [
        "○ 2 wait: 1 GPU: taken on every node",
        "○ 1 starting",
        "● one 1/1 busy  2/2 GPU  8/8 CPU",
    ]


def test_more_nodes_than_lines_are_counted() -> None:
    workers = [worker(id, f"box-{id:03}.rack-{id % 4}.example.org") for id in range(100)]
    said = lines(workers, [], width=30, height=6)
    assert len(said) == 6
    assert said[-1] == "+95 more nodes, 95 workers"
    assert said[0].startswith("● box-000.r")


def test_a_node_without_workers_is_shown_last() -> None:
    assert lines([worker(0, "two")], [node("one", taken=0), node("two")]) == [
        "● two 1/1 busy  8/8 CPU", "○ one 0/0 busy  0/8 CPU"
    ]  # fmt: skip


def test_a_worker_of_this_box_is_on_no_cluster() -> None:
    assert not overview_nodes.on_cluster([worker(0)])
    assert overview_nodes.on_cluster([worker(0, "one")])
    assert overview_nodes.on_cluster([worker(0, waits_for="waiting for the cluster")])


async def test_sixty_four_workers_of_eight_nodes_fit_a_small_screen(folder: Path) -> None:
    class OnCluster(World):
        def status(self, directory: str) -> p.Status:
            status = super().status(directory)
            workers = [worker(id, f"box-{id % 8}") for id in range(62)]
            workers += [worker(id, state="gone", waits_for="waiting for 1 GPU: taken on every node") for id in (62, 63)]
            machine = msgspec.structs.replace(status.machine, nodes=tuple(node(f"box-{n}", gpus=8) for n in range(8)))
            return msgspec.structs.replace(status, workers=tuple(workers), machine=machine)

    daemon = FakeDaemon(folder / "run", OnCluster(300))
    await daemon.start()
    async with attached(daemon, (80, 24)) as (app, _):
        seen = screen(app)
    await daemon.stop()
    assert "2 wait: 1 GPU: taken" in seen
    assert all(f"● box-{n} 8/8 busy  8/8 GPU" in seen for n in range(3)), seen
    assert "+5 more nodes, 38 workers" in seen
