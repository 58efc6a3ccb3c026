"""A worker process: `python -m nasd.executors.processes.worker`. Orders on standard input, reports on standard output.

It ends with its daemon: at the end of standard input, and by a parent-death signal should it be stuck then. Whatever
the evaluation does to this process (a fault, an out-of-memory kill, a hang) costs the daemon one trial.
"""

import contextlib
import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from nasd.box import tuning
from nasd.errors import NasdError
from nasd.executors.processes import messages
from nasd.executors.processes.messages import Alive, Evaluate, Finished, Ready, Report, Setup, SetupFailed, Step
from nasd.outcome import Failed, Outcome

HEARTBEAT = 2.0  # seconds

Evaluator = Callable[[Evaluate, Callable[[Step], None]], tuple[Outcome, str | None]]
"""Takes an order and a function to report steps to; returns the outcome and the staged embedding, if any."""


def serve(build: Callable[[Setup], Evaluator]) -> None:
    """Work until standard input ends.

    Args:
        build: Makes the evaluator from the first message; a NasdError from it is reported and ends the process.
    """
    _die_with_parent()
    report = _take_standard_output()
    orders: queue.SimpleQueue[messages.Order] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(orders,), name="orders", daemon=True).start()
    threading.Thread(target=_beat, args=(report,), name="heartbeat", daemon=True).start()
    setup = orders.get()
    if not isinstance(setup, Setup):
        raise TypeError(f"the first message must be setup, not {setup}")
    try:
        evaluate = build(setup)
    except NasdError as error:
        report(SetupFailed(reason=str(error)))
        return
    report(Ready())
    while True:
        order = orders.get()
        if not isinstance(order, Evaluate):
            raise TypeError(f"an order must be evaluate, not {order}")
        try:
            outcome, staged = evaluate(order, report)
        except Exception as error:  # noqa: BLE001 - whatever an architecture does, it is one failed trial with its reason
            sys.excepthook(type(error), error, error.__traceback__)  # the whole of it goes to the log
            reason = f"the evaluation raised {type(error).__name__}: {_brief(error)}"
            report(Finished(id=order.id, outcome=Failed(reason=reason), leaving=True))
            return
        report(Finished(id=order.id, outcome=outcome, staged=staged))


def build(setup: Setup) -> Evaluator:
    """The real evaluator: imports torch, loads the data set onto the device."""
    tuning.prepare(setup.threads)
    import torch  # noqa: PLC0415 - two seconds that the heartbeat should not wait for

    from nasd import config as configuration  # noqa: PLC0415
    from nasd import data as datasets  # noqa: PLC0415
    from nasd.evaluators.deep_prior.embedding import Embedding, OnHost  # noqa: PLC0415
    from nasd.evaluators.deep_prior.evaluation import evaluate  # noqa: PLC0415
    from nasd.evaluators.deep_prior.warm_up import warm_up  # noqa: PLC0415
    from nasd.evaluators.training.training import train_fully  # noqa: PLC0415
    from nasd.evaluators.training.weight_files import WeightFiles  # noqa: PLC0415
    from nasd.spaces.layers import SearchSpace  # noqa: PLC0415
    from store import StoreError, embeddings  # noqa: PLC0415

    torch.set_num_threads(setup.threads)
    config = configuration.parse(setup.config)
    space = SearchSpace(config.space)
    device = torch.device(setup.device)
    if device.type == "cuda" and (device.index or 0) >= (gpus := torch.cuda.device_count()):
        raise NasdError(
            f"torch finds no {setup.device} among {gpus} GPUs: name another, in executor.devices for the search, "
            "with --device for a job"
        )
    read = datasets.stream if config.data.multi_label else datasets.load
    data: datasets.Data | datasets.Streamed = read(config.data, config.seed, config.search.classes).to(device)
    staging = Path(setup.staging)
    warm_up(config, device)

    def run(order: Evaluate, report: Callable[[Step], None]) -> tuple[Outcome, str | None]:
        staged: list[str] = []

        def keep(embedding: Embedding) -> None:
            if order.keep_above is None or embedding.attributes["reward"] <= order.keep_above:
                return
            splits = {
                name: embeddings.Unwritten(OnHost(split.x), split.y.cpu().numpy(), split.index.cpu().numpy())
                for name, split in embedding.splits.items()
            }
            try:
                folder = staging if order.staging is None else Path(order.staging)
                staged.append(str(embeddings.stage(folder, splits, embedding.attributes)))
            except StoreError as error:  # the result counts without it
                sys.stderr.write(f"the embedding was not kept: {error}\n")

        def step(
            stage: str, epoch: int, epochs: int, train_accuracy: float | None, validation_accuracy: float | None
        ) -> None:
            report(
                Step(
                    id=order.id,
                    stage=stage,
                    epoch=epoch,
                    epochs=epochs,
                    train_accuracy=train_accuracy,
                    validation_accuracy=validation_accuracy,
                )
            )

        changed = config
        if order.epochs is not None:
            changed = config.model_copy(
                update={"training": config.training.model_copy(update={"epochs": order.epochs})}
            )
        if isinstance(data, datasets.Streamed) or order.full or config.evaluation == "full":
            files = None if order.weights is None else WeightFiles(Path(order.weights), keep=order.keep_weights)
            trained = train_fully(
                space.parse(order.net),
                data,
                changed,
                order.seed,
                device,
                progress=step,
                files=files,
                memory_limit=setup.memory_limit,
            )
            return trained, None
        outcome = evaluate(
            space.parse(order.net),
            data,
            changed,
            order.seed,
            device,
            progress=step,
            on_embedding=keep if order.keep_above is not None else None,
            screen_floor=order.screen_floor,
            memory_limit=setup.memory_limit,
        )
        return outcome, staged[0] if staged else None

    return run


def _take_standard_output() -> Callable[[Report], None]:
    """Keep standard output for reports; whatever else prints there goes to standard error, that is to the log."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    lock = threading.Lock()

    def report(message: Report) -> None:
        with lock, contextlib.suppress(BrokenPipeError):
            pipe.write(messages.encode(message) + b"\n")

    return report


def _read(orders: "queue.SimpleQueue[messages.Order]") -> None:
    # Not sys.stdin: the interpreter closes that when it ends, and aborts where another thread reads from it.
    for line in os.fdopen(os.dup(0), "rb"):
        try:
            orders.put(messages.decode_order(line))
        except msgspec.DecodeError as error:
            sys.stderr.write(f"an order that is not understood: {error}\n")
            break
    os._exit(0)  # the daemon is gone: whatever the main thread is at, nobody waits for it


def _beat(report: Callable[[Report], None]) -> None:
    pause = threading.Event()
    while not pause.wait(HEARTBEAT):
        report(Alive())


def _die_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a foreground run is the daemon's to handle
    parent = os.getppid()
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(0)
    # If memory runs out, the kernel should take the worker, not the daemon.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("700", encoding="ascii")


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:299] + "…"


if __name__ == "__main__":
    serve(build)
