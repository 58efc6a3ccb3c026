"""What a Ray cluster has, node by node, for people.

A process of its own looks, for the reason for which the bridge is one: who asks loads no Ray and unpickles nothing.
"""

import importlib.util
import subprocess
import sys
from typing import Any

import msgspec

from nasd.errors import NasdError
from nasd.executors.ray import cluster
from nasd.executors.ray.guardian import versions
from nasd.executors.ray.link import CONNECTING, environment
from nasd.protocol import Node

ANSWER = 60.0  # seconds in which a node says its versions

INSTALL = "ray, which is not installed: pip install 'nasd[ray]'"


class Surveyed(msgspec.Struct, frozen=True, kw_only=True):
    """One node and what is installed there."""

    node: Node
    versions: dict[str, str] = {}
    error: str | None = None  # why they are not known

    def difference(self) -> str | None:
        """In one sentence what keeps this node from being used from this box; None: nothing."""
        if self.error is not None:
            return f"node {self.node.name} cannot start a worker: {self.error}"
        for name, here in versions().items():
            if (there := self.versions.get(name)) != here:
                return f"node {self.node.name} has {name} {there}, this box {here}: install the same on both"
        return None


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    ray: str  # its version
    nodes: tuple[Surveyed, ...]


def ask(address: str) -> Survey:
    """Look at the cluster at `address` (local, auto or HOST:PORT).

    Raises:
        NasdError: Ray is not installed, or there is no such cluster, or it does not answer.
    """
    if importlib.util.find_spec("ray") is None:
        raise NasdError(f"executor.kind is {INSTALL}")
    # By its name: a node could not import a function of `__main__`.
    command = (sys.executable, "-c", "from nasd.executors.ray import survey; survey.main()", address)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=CONNECTING + 2 * ANSWER,
            env=environment(address),
        )
    except subprocess.TimeoutExpired as error:
        raise NasdError(f"the Ray cluster at {address} has not answered for {error.timeout:g} s") from error
    said = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    if done.returncode != 0:
        raise NasdError(f"the Ray cluster at {address} cannot be reached: {said}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Survey)


def main() -> None:
    """Print the survey, or say on standard error why there is none."""
    address = sys.argv[1]
    try:
        ray = cluster.connect(address, 1.0)
        found = _nodes()
    except cluster.UnreachableError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(Survey(ray=ray, nodes=tuple(found))) + b"\n")
    sys.stdout.flush()
    cluster.disconnect()


def _nodes() -> list[Surveyed]:
    import ray  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    function = ray.remote(num_cpus=0, max_retries=0)(_versions)
    asked: list[tuple[Node, Any]] = []
    for id, node in cluster.nodes_by_id().items():
        there = NodeAffinitySchedulingStrategy(node_id=id, soft=False)
        asked.append((node, function.options(scheduling_strategy=there).remote()))
    ray.wait([answer for _, answer in asked], num_returns=len(asked), timeout=ANSWER)
    found = []
    for node, answer in sorted(asked, key=lambda one: one[0].name):
        try:
            found.append(Surveyed(node=node, versions=msgspec.json.decode(ray.get(answer, timeout=0.1))))
        except ray.exceptions.GetTimeoutError:
            found.append(Surveyed(node=node, error=f"no answer for {ANSWER:g} s"))
        except ray.exceptions.RayError as error:
            found.append(Surveyed(node=node, error=cluster.brief(error)))
    return found


def _versions() -> bytes:
    return msgspec.json.encode(versions())
