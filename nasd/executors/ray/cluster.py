"""Ray's own interface, as far as the bridge needs it: a cluster of this box alone, or one that is there; its nodes."""

import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from nasd.protocol import Node

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Ray keeps objects
OBJECT_STORE = 256 << 20  # bytes of a cluster of this box alone: chunks of files pass through it

KNOCK = 10.0  # seconds in which a head node must take a connection


class UnreachableError(Exception):
    """There is no such cluster, or it does not let us in."""


def connect(address: str, cpus: float) -> str:
    """Become a driver.

    Args:
        address: local, auto or HOST:PORT.
        cpus: That a local cluster counts, however many cores there are: workers share them as on one box.

    Returns:
        Ray's version.

    Raises:
        UnreachableError: With the reason.
    """
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        if not os.access(SHARED_MEMORY, os.W_OK):  # its raylet would end without a word
            raise UnreachableError(f"Ray keeps objects in {SHARED_MEMORY}, which cannot be written to here")
        options |= {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": OBJECT_STORE}
        if not tempfile.gettempdir().isascii():  # nor does Ray take such a folder
            options["_temp_dir"] = "/tmp/ray"  # noqa: S108 - where it puts its files by itself
    if address not in ("auto", "local"):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), KNOCK).close()  # Ray would try for minutes
        except OSError as error:
            raise UnreachableError(f"nobody answers at its head node: {error}") from error
    import ray  # noqa: PLC0415

    try:
        ray.init(address=address, namespace="nasd", **options)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
        raise UnreachableError(brief(error)) from error
    return str(ray.__version__)


def disconnect() -> None:
    """Leave; a cluster of this box alone ends."""
    import ray  # noqa: PLC0415

    ray.shutdown()


def nodes() -> list[Node]:
    """All nodes that are up, and what of each is taken, by name.

    Raises:
        UnreachableError: The head node does not answer.
    """
    return sorted(nodes_by_id().values(), key=lambda node: node.name)


def nodes_by_id() -> dict[str, Node]:
    """The same by Ray's ids.

    Raises:
        UnreachableError: The head node does not answer.
    """
    import ray  # noqa: PLC0415
    from ray._private.state import available_resources_per_node  # noqa: PLC0415 - `ray.util.state` asks the dashboard

    try:
        known, free = ray.nodes(), available_resources_per_node()
    except (ray.exceptions.RayError, RuntimeError, OSError, TimeoutError) as error:
        raise UnreachableError(brief(error)) from error
    up = [node for node in known if node["Alive"]]
    names = names_of(up)
    found = {}
    for node in up:
        total, left = node["Resources"], free.get(node["NodeID"], {})
        cpus, gpus = total.get("CPU", 0.0), total.get("GPU", 0.0)
        found[node["NodeID"]] = Node(
            name=names[node["NodeID"]],
            cpus=cpus,
            cpus_taken=cpus - left.get("CPU", 0.0),
            gpus=gpus,
            gpus_taken=gpus - left.get("GPU", 0.0),
            memory=int(total.get("memory", 0)),
        )
    return found


def names_of(known: list[dict[str, Any]]) -> dict[str, str]:
    """The nodes' host names by their ids, told apart where a host has several."""
    hosts = [node["NodeManagerHostname"] for node in known]
    return {
        node["NodeID"]: host if hosts.count(host) == 1 else f"{host}/{node['NodeID'][:6]}"
        for node, host in zip(known, hosts, strict=True)
    }


def lack(cpu: float, gpu: float, memory: int | None) -> str:
    """Why there is no place for a worker that needs this, in words."""
    wanted = " and ".join(
        text for text, needed in ((f"{cpu:g} CPU", cpu), (f"{gpu:g} GPU", gpu), (f"{memory} bytes", memory)) if needed
    )
    try:
        there = nodes()
    except UnreachableError as error:
        return f"waiting for the cluster: {error}"
    if not any(node.cpus >= cpu and node.gpus >= gpu and node.memory >= (memory or 0) for node in there):
        return f"no node has {wanted} in all"
    return f"waiting for {wanted}: taken on every node"


def brief(error: Exception) -> str:
    """On one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:299] + "…"
