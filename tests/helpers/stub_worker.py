"""A worker without torch: its outcomes are a pure function of (net, seed), and it misbehaves where it is told to.

`stub.json` in the run's directory tells it, read anew for each evaluation:
    do       {seed: behaviour} for single trials
    every    a behaviour for all others
    once     true: misbehave only at the first try of each seed
    seconds  that an evaluation takes
    pace     seconds between its steps
    epochs   steps to report, 5 unless given
    embed    rows of an embedding to stage
    screen   true: have a quick look first, and heed its floor (rungs are heeded where the run's config has them)
    train    true: write down the epochs of trainings, leave a checkpoint, and go on from it
    setup    fail, exit or hang instead of getting ready
While there is a file `gate`, evaluations wait; while there is `gate-of-thinking`, thinking does.
"""

import ctypes
import errno
import json
import math
import os
import random
import signal
import stat
import sys
import time
from hashlib import sha256
from pathlib import Path

import msgspec

from nasd.errors import NasdError
from nasd.evaluators.base import Answer, Step
from nasd.evaluators.orders import DeepPrior, Rung, Supernet, Think
from nasd.evaluators.training.weight_files import CHECKPOINT, WeightFiles
from nasd.executors import work
from nasd.executors.processes.worker import serve
from nasd.executors.work import Setup, Work
from nasd.outcome import Evaluated, Failed, Measured, RungScores, SupernetEpoch
from store import files

FAULTS = {
    "no thread": RuntimeError("can't start new thread"),
    "no space": OSError(errno.ENOSPC, "No space left on device"),
    "no file": OSError(errno.EMFILE, "Too many open files"),
    "no map": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "no shared memory": RuntimeError("unable to open shared memory object </torch_7_1> in read-write mode"),
    "no driver": RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment"),
}
"""What the box may lack, as Python and torch say it."""

STUB = (sys.executable, __file__)
"""How it is started."""


def tell(directory, **orders):
    """Write its orders."""
    (directory / "stub.tmp").write_text(json.dumps(orders))
    (directory / "stub.tmp").rename(directory / "stub.json")


def outcome_of(net: str, seed: int, epochs: int = 5) -> Evaluated:
    draw = random.Random(f"{net} {seed}")
    validation = tuple(0.2 + 0.7 * draw.random() for _ in range(epochs))
    return Evaluated(
        reward=math.fsum(validation[-5:]) / len(validation[-5:]),
        validation_accuracies=validation,
        train_accuracies=tuple(draw.random() for _ in range(epochs)),
        test_accuracy=draw.random(),
        early_stopped=False,
        embedding_dim=64,
        micro_batch=128,
        measured=Measured(seconds=0.001),
    )


def screened(made: Evaluated, floor: float | None) -> Evaluated:
    score = made.reward / 2
    if floor is None or score >= floor:
        return msgspec.structs.replace(made, screening=score)
    return msgspec.structs.replace(
        made, reward=score, validation_accuracies=(score,), train_accuracies=(score,), test_accuracy=None,
        early_stopped=True, screening=score,
    )  # fmt: skip


def looked_at(made: Evaluated, rungs: tuple[Rung, ...]) -> Evaluated:
    """At each rung a tenth and one more place of the reward is known, and it is rounded to that."""
    scores: tuple[float, ...] = ()
    images = tuple(rung.images for rung in rungs)
    for place, rung in enumerate(rungs, 1):
        scores += (round(made.reward, place) / 2,)
        if rung.floor is not None and scores[-1] < rung.floor:
            return msgspec.structs.replace(
                made, reward=min(max(scores[-1] + rung.gain, 0.0), 1.0), validation_accuracies=(), train_accuracies=(),
                test_accuracy=None, early_stopped=True,
                rungs=RungScores(scores=scores, images=images[:place], splits=(600, 200, 200), cut=True),
            )  # fmt: skip
    return msgspec.structs.replace(made, rungs=RungScores(scores=scores, images=images, splits=(600, 200, 200)))


def build(setup: Setup) -> Work:
    directory = Path(setup.staging).parent
    match _orders(directory).get("setup"):
        case "fail":
            raise NasdError("the data set is on strike")
        case "exit":
            os._exit(9)
        case "hang":
            time.sleep(3600)

    def run(order, report):
        orders = _orders(directory)
        if isinstance(order, Think):
            while (directory / "gate-of-thinking").exists():
                report(Step(stage="wait"))
                time.sleep(0.005)
            if "strategy: pnas" not in setup.config:
                return Answer(payload=order.request[::-1]), {}
            from nasd import config as configuration  # a second or two, which a worker's start has not

            return work.think(configuration.parse(setup.config), order, report, Path(setup.staging))
        epochs = getattr(order, "epochs", None) or orders.get("epochs", 5)
        made = outcome_of(order.subject, order.seed, epochs)
        if orders.get("screen"):
            made = screened(made, getattr(order, "screen_floor", None))
        if getattr(order, "rungs", ()):
            made = looked_at(made, order.rungs)
        behaviour = orders.get("do", {}).get(str(order.seed), orders.get("every"))
        marker = directory / f"misbehaved-{order.seed}"
        if behaviour and not (orders.get("once") and marker.exists()):
            marker.touch()
            instead = _misbehave(behaviour)
            if instead is not None:
                return instead, {}
        train = _Files(order.weights, directory) if orders.get("train") else None
        for epoch in range(train.reached if train else 0, len(made.validation_accuracies) + 1):
            if train:
                train.write(epoch)
            report(Step(stage="train", epoch=epoch, epochs=epochs,
                        validation_accuracy=made.validation_accuracies[epoch - 1] if epoch else None))  # fmt: skip
            time.sleep(orders.get("pace", 0))
        time.sleep(orders.get("seconds", 0))
        while (directory / "gate").exists():
            time.sleep(0.005)
        if isinstance(order, Supernet):
            return _epoch(order, made), {order.end: _file(order, Path(setup.staging))}
        if not isinstance(order, DeepPrior) or not orders.get("embed") or not _keeps(order, made):
            return made, {}
        staged = _embed(Path(order.staging or setup.staging), orders["embed"], made.reward)
        return made, {} if staged is None else {"embedding": staged}

    return run


class _Files:
    """Those of a training: each holds the epoch at which it was written."""

    def __init__(self, stem: str, directory: Path) -> None:
        self._files, self._log = WeightFiles(Path(stem), keep=True), directory / "epochs"
        self.reached = int(self._files.read(CHECKPOINT) or 0)

    def write(self, epoch: int) -> None:
        with self._log.open("a") as log:
            log.write(f"{epoch}\n")
        for name in (CHECKPOINT, "best", "last"):
            self._files.write(name, str(epoch).encode())


def _epoch(order: Supernet, made: Evaluated) -> Evaluated:
    """An epoch of a ResNet-18 whose derived architecture depends on the seed."""
    draw = random.Random(order.seed)
    net = f"resnet18[{' '.join(draw.choice(('1', '32')) for _ in range(8))}]"
    epoch = SupernetEpoch(
        net=net, steps=1, controller_steps=1, loss=draw.random(), mean_accuracy=draw.random(),
        mean_reward=draw.random(), baseline=draw.random(), entropy=draw.random(), probabilities=((0.5, 0.5),) * 8,
    )  # fmt: skip
    return msgspec.structs.replace(made, supernet=epoch)


def _file(order: Supernet, staging: Path) -> Path:
    """What an epoch leaves: a function of the seed and of the file that it began with; a full disk is waited for."""
    before = Path(order.begin).read_bytes() if order.begin else b""
    content = random.Random(order.seed).randbytes(20_000) + sha256(before).digest()
    path = files.temporary_beside(staging / "any")
    while True:
        try:
            path.write_bytes(content)
            files.sync(path)
        except OSError:
            files.remove(path)
            time.sleep(0.05)
        else:
            return path


def _keeps(order: DeepPrior, made: Evaluated) -> bool:
    return order.keep_above is not None and made.reward > order.keep_above


def _orders(directory: Path) -> dict:
    try:
        return json.loads((directory / "stub.json").read_text())
    except FileNotFoundError:
        return {}


def _misbehave(behaviour: str) -> Evaluated | Failed | None:
    match behaviour:
        case "raise":
            raise RuntimeError("the stub\nraises")
        case "exit":
            sys.stderr.write("these are my last words\n")
            sys.stderr.flush()
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "hang":
            time.sleep(3600)
        case _ if behaviour in FAULTS:
            raise FAULTS[behaviour]
        case "libgomp":
            sys.stderr.write("libgomp: Thread creation failed: Resource temporarily unavailable\n")
            sys.stderr.flush()
            os._exit(1)
        case "allocate":
            bytearray(1 << 50)
        case "print":
            sys.stdout.write('{"type": "ready"} garbage on standard output\n')
            sys.stdout.flush()
            os.write(1, b"\xff\xfe raw bytes\n")
        case "flood":
            for line in range(5000):
                sys.stderr.write(f"line {line}\n")
            sys.stderr.write("x" * (5 << 20) + "\n")
        case "garble":
            os.write(_report_pipe(), b"this is no report\n")
            time.sleep(3600)
        case "close":
            os.close(_report_pipe())
            time.sleep(3600)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "unfit":
            return Failed(reason="the stub does not like it")
        case "nan":
            return Evaluated(
                reward=math.nan, validation_accuracies=(), train_accuracies=(), test_accuracy=None,
                early_stopped=False, embedding_dim=1, micro_batch=1,
            )  # fmt: skip
    return None


def _report_pipe() -> int:
    return next(fd for fd in range(3, 64) if _is_pipe(fd))


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False


def _embed(staging: Path, rows: int, reward: float) -> Path | None:
    import numpy as np

    from store import StoreError
    from store.embeddings import Split, stage

    draw = np.random.default_rng(rows)
    split = Split(draw.standard_normal((rows, 64)).astype("float32"), np.zeros(rows, "int64"), np.arange(rows))
    try:
        return stage(staging, {"train": split}, {"reward": reward})
    except StoreError as error:  # as the real one: the result counts without it
        sys.stderr.write(f"the embedding was not kept: {error}\n")
        return None


if __name__ == "__main__":
    serve(build)
