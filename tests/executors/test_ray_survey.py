"""What `nasd doctor` says of a cluster."""

import pytest

from nasd.cli import doctor
from nasd.config.executor import RayConfig, ResourcesConfig
from nasd.errors import NasdError
from nasd.executors.ray import survey
from nasd.executors.ray.guardian import versions
from nasd.executors.ray.survey import Survey, Surveyed
from nasd.executors.ray.wire import Node
from tests.helpers import cluster


def surveyed(name, **other):
    node = Node(name=name, cpus=4, cpus_taken=0, gpus=1, gpus_taken=0, memory=8 << 30)
    return Surveyed(node=node, **{"versions": versions(), **other})


def test_every_node_of_a_cluster_says_what_it_has(monkeypatch):
    cluster.needed()
    found = survey.ask(cluster.shared(monkeypatch).address)
    assert len(found.nodes) >= 3  # the head node, which does no work, and two
    assert [one.node.cpus for one in found.nodes].count(4) >= 2
    assert [one.difference() for one in found.nodes] == [None] * len(found.nodes)


def test_a_cluster_that_is_not_there_is_a_sentence(unused_tcp_port):
    cluster.needed()
    address = f"127.0.0.1:{unused_tcp_port}"
    with pytest.raises(NasdError, match=rf"at {address} cannot be reached: nobody answers .*: .* refused"):
        survey.ask(address)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(survey.importlib.util, "find_spec", lambda name: None)
    (finding,) = doctor.cluster(RayConfig(kind="ray"))
    assert (finding.level, finding.detail) == (
        "wrong", "executor.kind is ray, which is not installed: pip install 'nasd[ray]'"
    )  # fmt: skip


def test_a_node_that_differs_is_named_in_one_sentence(monkeypatch):
    nodes = (
        surveyed("one"),
        surveyed("two", versions={**versions(), "torch": "1.0"}),
        surveyed("three", versions={}, error="No module named 'nasd'"),
    )
    monkeypatch.setattr(survey, "ask", lambda address: Survey(ray="2.60.0", nodes=nodes))
    config = RayConfig(kind="ray", devices=("cuda",), workers=8, resources=ResourcesConfig(GPU=0.5))
    said = [(finding.level, finding.detail) for finding in doctor.cluster(config)]
    assert said[0] == ("ok", "auto, Ray 2.60.0: 3 nodes, 12 CPUs, 3 GPUs")
    assert said[1][0] == "ok"
    assert said[2:] == [
        ("wrong", f"node two has torch 1.0, this box {versions()['torch']}: install the same on both"),
        ("wrong", "node three cannot start a worker: No module named 'nasd'"),
        ("note", "there is room for 6 of the 8 workers, the rest wait"),
    ]
