"""A Ray cluster of several raylets on the loopback address, in a process of its own that ends with this one."""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import traceback

import psutil
import pytest

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
SMALL = {"object_store_memory": 100 << 20, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
QUICK = {
    "health_check_period_ms": 1000,  # of which a killed raylet misses five before it is dead: else 3000
    "prestart_worker_first_driver": False,  # a process for each CPU, of which a test needs one or two
}
TRIES = 3  # at a node
_shared = None


class Cluster:
    """`address` to connect to; with LOOPBACK in the environment. The first raylet is the head node's."""

    def __init__(self, nodes=2, cpus=4, port=None):
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **LOOPBACK, "TMPDIR": "/tmp"},  # short, and letters that Ray takes
        )  # fmt: skip
        port = {} if port is None else {"gcs_server_port": int(port)}
        self.address = self._ask(cpus=0, _system_config=QUICK, **port)["address"]
        self.raylets = [self.add(cpus) for _ in range(nodes)]

    def add(self, cpus=4):
        """One more node; the pid of its raylet."""
        return self._ask(cpus=cpus)["raylet"]

    def _ask(self, **node):
        self._process.stdin.write(json.dumps(node) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "no answer"}')
        assert "error" not in answer, answer["error"]
        return answer

    def close(self):
        """End it, and all that is left of it."""
        if self._process.returncode is not None:
            return
        left = psutil.Process(self._process.pid).children(recursive=True)
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        for process in psutil.wait_procs(left, 20)[1]:
            process.kill()


def needed():
    """Skip what needs a cluster where there can be none."""
    pytest.importorskip("ray")
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("Ray needs a /dev/shm that can be written to")


def shared(monkeypatch):
    """One that is there as long as this process."""
    global _shared  # noqa: PLW0603
    for name, value in LOOPBACK.items():
        monkeypatch.setenv(name, value)
    if _shared is None:
        _shared = Cluster()
        atexit.register(_shared.close)
    return _shared


def running(processes):
    """Those that have not ended; who adopted one may not have collected it yet."""
    left = []
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                left.append(one)
    return left


def _serve():
    from ray.cluster_utils import Cluster as Raylets

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    cluster = Raylets()
    for line in sys.stdin:
        settings = json.loads(line)
        cpus = settings.pop("cpus")
        before = set(psutil.Process().children(recursive=True))
        for left in reversed(range(TRIES)):
            try:
                node = cluster.add_node(num_cpus=cpus, **settings, **SMALL)
            except Exception:  # noqa: BLE001 - on a busy machine Ray gives up its own processes too soon
                answer = {"error": traceback.format_exc()}
                begun = set(psutil.Process().children(recursive=True)) - before
                for process in begun:  # else they keep the port
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                psutil.wait_procs(begun, 20)
                if left:
                    continue
            else:
                raylet = node.all_processes["raylet"][0].process.pid
                answer = {"address": cluster.address, "raylet": raylet}
            answers.write(json.dumps(answer) + "\n")
            break
    cluster.shutdown()


if __name__ == "__main__":
    _serve()
