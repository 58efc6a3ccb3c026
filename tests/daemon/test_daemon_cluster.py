"""A search on a Ray cluster, as the daemon's clients see it."""

from nasd.executors.ray import link
from tests.helpers import cluster
from tests.helpers.nasd_harness import as_the_stub_says, living, make, soon, tell


def on(address, directory, **other):
    return {"kind": "ray", "address": address, "scratch": str(directory), **other}


async def test_a_cluster_that_cannot_be_reached_is_a_problem_and_not_an_exit(tmp_path, monkeypatch, unused_tcp_port):
    cluster.needed()
    monkeypatch.setattr(link, "AGAIN", (0.1, 0.2))
    for name, value in cluster.LOOPBACK.items():
        monkeypatch.setenv(name, value)
    address = f"127.0.0.1:{unused_tcp_port}"
    directory = make(tmp_path, 4, executor=on(address, tmp_path / "stub"))
    tell(directory)
    made = None
    try:
        async with living(directory) as live:
            await soon(lambda: live.status.problems)
            (problem,) = live.status.problems
            assert problem.startswith(f"the Ray cluster at {address} cannot be reached, it is tried again: nobody")
            assert live.status.state == "running"
            made = cluster.Cluster(nodes=1, cpus=1, port=unused_tcp_port)
            status = await live.state("finished")
            assert status.problems == ()
        as_the_stub_says(directory)
    finally:
        if made is not None:
            made.close()
