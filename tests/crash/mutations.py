"""Is what is broken on purpose noticed? Each promise is broken in a copy of the code, and its proof must fail.

python tests/crash/mutations.py [NAME ...]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 600.0  # seconds; a proof that hangs has noticed as well

TORTURE = "tests/crash/test_torture.py"
SYSCALLS = "tests/store/test_store_syscalls.py"
PROCESS = "tests/daemon/test_daemon_process.py"


@dataclass(frozen=True)
class Mutation:
    """One promise broken: replacements in a file, and the tests that have to notice."""

    what: str
    file: str
    changes: dict[str, str]
    proof: str


LATER = """        self._later = [*getattr(self, "_later", []), delta]
        if len(self._later) >= 5 or self.strategy.finished:
            for one in self._later:
                await committing.commit(self.run, one, self.trouble)
            self._later = []
"""

MUTATIONS = {
    "rename-unsynced": Mutation(
        "files and folders are renamed without having been synced",
        "store/files.py", {"        os.fsync(descriptor)\n": "        pass\n"}, SYSCALLS,
    ),
    "commit-unsynced": Mutation(
        "a commit returns before the log is synced",
        "store/database.py", {"PRAGMA synchronous = FULL": "PRAGMA synchronous = OFF"}, SYSCALLS,
    ),
    "commit-later": Mutation(
        "trials are told of and committed five at a time",
        "nasd/daemon/scheduler.py", {"        await committing.commit(self.run, delta, self.trouble)\n": LATER},
        TORTURE,
    ),
    "commit-given-up": Mutation(
        "a commit that the disk refuses is given up",
        "nasd/daemon/committing.py", {"            await asyncio.sleep(RETRY)\n": "            return\n"},
        f"{PROCESS}::TestFullDisk",
    ),
    "proposals-dropped": Mutation(
        "all open proposals but one are forgotten by a restart",
        "nasd/daemon/scheduler.py",
        {"[Flight(proposal) for proposal in open_proposals]": "[Flight(one) for one in open_proposals[:1]]"}, TORTURE,
    ),
    "random-state-behind": Mutation(
        "the random state is committed as it was before the next proposal",
        "nasd/daemon/scheduler.py",
        {
            "        opened = self._propose()\n        dropped": "        behind = self.strategy.position()\n"
            "        opened = self._propose()\n        dropped",
            "            position=self.strategy.position(),\n": "            position=behind,\n",
        }, TORTURE,
    ),
    "seed-of-the-moment": Mutation(
        "a trial's seed is another one when it is tried again",
        "nasd/evaluators/deep_prior/planner.py",
        {"seed=trial_seed(self._seed, number),\n": "seed=trial_seed(id(self) >> 4, number),\n"}, TORTURE,
    ),
    "kill-blamed": Mutation(
        "a trial whose worker was killed from outside has failed",
        "nasd/executors/crew.py", {"if blamed >= self._attempts or": "if lost >= 1 or"}, TORTURE,
    ),
    "orphans": Mutation(
        "workers outlive a killed daemon",
        "nasd/executors/processes/worker.py",
        {"    die_with_parent()\n": "", "    os._exit(0)  # the daemon is gone": "    return  # the daemon is gone"},
        TORTURE,
    ),
    "stopped-orphans": Mutation(
        "so do those that were stopped at their start",
        "nasd/executors/processes/channel.py", {"process_group=0": "start_new_session=True"},
        f"{PROCESS} -k stopped_before",
    ),
    "leftovers": Mutation(
        "embeddings that no row refers to are never swept",
        "store/embeddings/folder.py", {"            for name in swept:\n": "            for name in swept[:0]:\n"},
        "tests/store/test_store_embeddings.py -k sweeping",
    ),
    "no-lock": Mutation(
        "the writer's lock is not taken",
        "store/lock.py", {"fcntl.LOCK_EX | fcntl.LOCK_NB": "fcntl.LOCK_SH | fcntl.LOCK_NB"},
        f"{PROCESS} -k second_daemon",
    ),
    "no-seals": Mutation(
        "seals are written and not compared",
        "store/seal.py", {"    for trials, what in broken(connection):\n": "    for trials, what in ():\n"},
        "tests/daemon/test_daemon_torn.py -k sealed",
    ),
    "any-uid": Mutation(
        "the kernel is not asked who connects",
        "nasd/daemon/server.py", {".uid not in (os.getuid(), 0)": ".uid < 0"}, f"{PROCESS} -k another_user",
    ),
    "open-socket": Mutation(
        "the socket is born with a mode that lets others in",
        "nasd/daemon/server.py", {"os.umask(0o177)": "os.umask(0)"}, f"{PROCESS} -k owners_alone",
    ),
    "socket-in-the-way": Mutation(
        "what is at the socket's path is removed, whatever it is",
        "nasd/daemon/server.py", {"if not stat.S_ISSOCK(kind):": "if stat.S_ISDIR(kind):"}, f"{PROCESS} -k no_socket",
    ),
    "no-turns": Mutation(
        "all clients that ask are answered in one pass of the event loop",
        "nasd/daemon/turns.py", {"loop.call_soon(self._pass)": "self._pass()"}, "tests/daemon/test_daemon_turns.py",
    ),
    "bombs": Mutation(
        "an embedding's shards may have any size",
        "store/embeddings/reading.py", {"if made.shard_bytes > _MAX_SHARD:": "if False:"},
        "tests/store/test_store_embeddings.py -k bomb",
    ),
    "any-name": Mutation(
        "an archive may name any path",
        "store/snapshot.py", {"not _NAME.fullmatch(name) or \"..\" in name": "False"},
        "tests/store/test_store_snapshot.py -k hostile",
    ),
}  # fmt: skip


def noticed(mutation: Mutation) -> bool:
    """Whether the proof fails in a copy of the code that has the fault."""
    with tempfile.TemporaryDirectory(prefix="m") as folder:
        for name in ("nasd", "store", "tui", "tests", "benchmarks", "configs", "docs", "pyproject.toml"):
            source = ROOT / name
            shutil.copytree(source, Path(folder, name)) if source.is_dir() else shutil.copy(source, folder)
        file = Path(folder, mutation.file)
        text = file.read_text()
        for old, new in mutation.changes.items():
            assert text.count(old) == 1, f"{mutation.file} holds {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        file.write_text(text)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        command += mutation.proof.split()
        environment = {**os.environ, "PYTHONPATH": folder}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return True
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode == 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MUTATIONS)}; all unless named")
    arguments = parser.parse_args()
    missed = []
    for name in arguments.names or MUTATIONS:
        began = time.monotonic()
        found = noticed(MUTATIONS[name])
        missed += [] if found else [name]
        took = f"{time.monotonic() - began:4.0f} s"
        sys.stdout.write(f"{'noticed' if found else 'MISSED':>8} {name:<20} {took}  {MUTATIONS[name].what}\n")
        sys.stdout.flush()
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
