"""Commands that only read. `trials` and `show` read the run's directory and need no daemon."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasd import paths, protocol
from nasd.cli.elsewhere import Reading
from nasd.cli.options import json_option, run_argument
from nasd.cli.output import ago, duration, fact, percent, print_json, print_table, printable, size
from nasd.client import Client, Target
from nasd.errors import NasdError, NotRunningError
from nasd.outcome import Labels, labels_in, rungs_in

if TYPE_CHECKING:
    from store import Condition, Run


@click.command("ps", cls=Reading)
@click.argument("run", metavar="[HOST:]", required=False)
@json_option
def ps_command(run: str | None, as_json: bool) -> None:
    """List the runs on this box, or on user@host:."""
    if run is not None:
        raise click.UsageError(f"ps lists all runs; for those of another box, write it as user@host:, not {run!r}")
    from nasd.runs.overview import run_row  # noqa: PLC0415 - sqlite3, only where it is needed

    rows = [run_row(path) for path in paths.runs()]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo(f"There are no runs in {paths.home()}. Start one: nasd start configs/digits.yaml")
    else:
        print_table(
            ("RUN", "STATE", "TRIALS", "COUNTED", "OF", "BEST", "CHANGED"),
            [
                (
                    r.name,
                    r.state,
                    str(r.trials),
                    str(r.counted),
                    str(r.total or "-"),
                    percent(r.best_reward),
                    ago(r.modified_at),
                )
                for r in rows
            ],
            right=(2, 3, 4, 5),
        )


@click.command("status", cls=Reading)
@run_argument
@json_option
def status_command(run: str | None, as_json: bool) -> None:
    """Where a search is. Also works for a stopped run, and for user@host:RUN."""
    directory = paths.find_run(run)
    try:
        with Client.connect(Target(directory=directory)) as client:
            status = client.status()
    except NotRunningError:
        _print_stopped(directory, as_json=as_json)
        return
    if as_json:
        print_json(status)
    else:
        _print_status(status)


def _print_status(status: protocol.Status) -> None:
    progress = status.progress
    total = progress.total
    of = "" if total is None else f" of {total} ({percent(progress.counted / total if total else 1.0)})"
    eta = ""
    if progress.eta_seconds:
        eta = f", {duration(progress.eta_seconds)} left"
        if progress.eta_low is not None and progress.eta_high is not None:
            eta += f" ({duration(progress.eta_low)} to {duration(progress.eta_high)})"
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(progress.by_status.items()))
    click.echo(f"{click.style(status.name, bold=True)}  {status.state}: {printable(status.activity)}")
    click.echo(f"  progress  {progress.counted} counted{of}{eta}")
    if progress.stages:
        stage = progress.stages[progress.stage]
        of = "" if stage.of is None else f" of {stage.of}"
        click.echo(f"  stage     {printable(stage.label)}, {stage.done}{of} in this stage")
    for note in progress.notes:
        click.echo(f"            {printable(note)}")
    for worker in status.workers:
        if worker.state == "busy":
            click.echo(f"  worker    {printable(_at_work(worker))}")
    click.echo(f"  trials    {progress.trials}" + (f": {counts}" if counts else ""))
    click.echo(f"  reward    {percent(progress.rolling_reward)} over the last 20 that counted")
    if status.best:
        best = status.best[0]
        click.echo(f"  best      {percent(best.reward)} (test {percent(best.test_accuracy)}), trial {best.number}")
        click.echo(f"            {printable(best.net)}")
    click.echo(f"  daemon    process {status.pid}, started {ago(status.started_at)}, in {status.directory}")
    for problem in status.problems:
        click.echo(click.style(f"  problem   {printable(problem)}", fg="red"))


def _at_work(worker: protocol.WorkerStatus) -> str:
    """What a worker is at, how far it is, and the numbers that its evaluation shows of itself."""
    subject = f"job {worker.job}" if worker.job is not None else f"trial {worker.trial}"
    what = worker.work or f"{subject}, {worker.stage or 'starting'}"
    how_far = f" {worker.epoch} of {worker.epochs}" if worker.epochs else ""
    facts = (f", {name} {value:.4g}" for name, value in worker.facts.items() if type(value) in (int, float))
    return f"{worker.id} on {worker.device}: {what}{how_far}{''.join(facts)}"


def _print_stopped(directory: Path, *, as_json: bool) -> None:
    from nasd.runs.overview import run_row  # noqa: PLC0415

    row = run_row(directory)
    if as_json:
        print_json(row)
        return
    click.echo(f"{click.style(row.name, bold=True)}  {row.state}; no daemon runs it")
    if row.total:
        click.echo(f"  progress  {row.counted} counted of {row.total}")
    click.echo(f"  trials    {row.trials}, best {percent(row.best_reward)}, changed {ago(row.modified_at)}")
    if row.state == "unreadable":
        click.echo(f"  next      nasd verify {row.name}")
    else:
        for note in _from_scratch(directory):
            click.echo(f"            {printable(note)}")
        click.echo(f"  next      nasd {'trials' if row.state == 'finished' else 'start'} {row.name}")


def _from_scratch(directory: Path) -> tuple[str, ...]:
    from nasd.runs.from_scratch import ranking  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    with Run.open(directory) as run:
        return ranking(run.jobs()).sentences


@click.command("trials", cls=Reading)
@run_argument
@click.option("--top", type=click.IntRange(1), help="The best N architectures, best first.")
@click.option("--last", type=click.IntRange(1), help="The newest N trials (20 unless given).")
@click.option("--all", "everything", is_flag=True, help="All trials.")
@click.option("--where", help="Only trials that match, such as 'reward>0.84 layers<=5 | star:yes' (docs/tui.md).")
@json_option
def trials_command(
    run: str | None, top: int | None, last: int | None, everything: bool, where: str | None, as_json: bool
) -> None:
    """List trials: the newest, the best, or all."""
    if sum((top is not None, last is not None, everything)) > 1:
        raise click.UsageError("give one of --top, --last and --all")
    from store import Run  # noqa: PLC0415

    with Run.open(paths.find_run(run)) as opened:
        wanted = _conditions(opened, where) if where else ()  # a client alone cannot read the run's config
        if top is not None and not wanted:
            rows = opened.best(top)
        elif top is not None:
            rows = opened.trials(limit=top, sort="reward", descending=True, where=wanted, distinct=True)
        elif everything:
            rows = opened.trials(where=wanted)
        else:
            rows = opened.trials(limit=last or 20, descending=True, where=wanted)[::-1]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    if not rows:
        nothing = "There are no trials yet." if top is None else "No trial has a reward yet."
        click.echo("No trial matches." if where else nothing)
        return
    print_table(
        ("TRIAL", "STATUS", "STAGE", "REWARD", "TEST", "TIME", "ARCHITECTURE"),
        [
            (
                str(r.number),
                r.status.replace("_", " "),
                printable(r.stage),
                percent(r.reward),
                percent(r.test_accuracy),
                duration(r.seconds),
                printable(r.net),
            )
            for r in rows
        ],
        right=(0, 3, 4, 5),
    )


def _conditions(run: "Run", where: str) -> "tuple[tuple[Condition, ...], ...]":
    from nasd import filters, rooms  # noqa: PLC0415
    from nasd.runs import changes, filtering  # noqa: PLC0415

    alternatives = filters.parse(where)
    if filters.needs_sizes(alternatives):
        run.know_sizes(filtering.size_of(rooms.space(changes.config_of(run))))
    return filtering.conditions(alternatives)


@click.command("show", cls=Reading)
@click.argument("first", metavar="[RUN] TRIAL")
@click.argument("second", required=False, metavar="")
@json_option
def show_command(first: str, second: str | None, as_json: bool) -> None:
    """Everything about one trial."""
    run, number = (None, first) if second is None else (first, second)
    if not number.isdecimal():
        raise click.UsageError(f"TRIAL is a number, not {number!r}")
    from nasd import rooms  # noqa: PLC0415
    from nasd.client import graph_text  # noqa: PLC0415
    from nasd.runs import changes  # noqa: PLC0415
    from store import Run  # noqa: PLC0415

    with Run.open(paths.find_run(run)) as opened:
        trial = opened.trial(int(number)) if len(number) < 16 else None
        if trial is None:
            raise NasdError(f"{opened.path.name} has no trial {number}: its newest is {opened.count()}")
        settings = changes.config_of(opened)
    if as_json:
        print_json(asdict(trial))
        return
    click.echo(f"{click.style(f'trial {trial.number}', bold=True)}  {trial.status.replace('_', ' ')}")
    click.echo(f"  {printable(trial.net)}")
    if trial.reason:
        click.echo(f"  reason      {printable(trial.reason)}")
    if trial.duplicate_of is not None:
        click.echo(f"  duplicate   of trial {trial.duplicate_of}, whose reward it has")
    click.echo(f"  reward      {percent(trial.reward)}" + ("" if trial.counted else ", does not count"))
    if trial.stage:
        click.echo(f"  stage       {printable(trial.stage)}")
    for name, value in trial.facts.items():
        click.echo(f"  {printable(name.replace('_', ' ')):<10}  {printable(fact(value))}")
    click.echo(f"  validation  best {percent(trial.best_validation)}, test {percent(trial.test_accuracy)}")
    if trial.validation_accuracies:
        shown = " ".join(f"{100 * value:.1f}" for value in trial.validation_accuracies)
        click.echo(f"  epochs      {shown}")
    labels = labels_in(trial.metrics)
    if trial.metrics and "screening" in trial.metrics:
        ended = ", and that was all" if trial.test_accuracy is None and len(trial.validation_accuracies) == 1 else ""
        click.echo(f"  quick look  validation {percent(trial.metrics['screening'])}{ended}")
    if (rungs := rungs_in(trial.metrics)) is not None:
        ended = ", stopped there" if rungs.cut else ""
        images = [f" at {images:,} images" for images in rungs.images] or [""] * len(rungs.scores)
        looked = [percent(score) + at for score, at in zip(rungs.scores, images, strict=True)]
        click.echo(f"  rungs       {', '.join(looked)}{ended}")
    if labels is not None:
        each = percent(labels.validation_accuracies[-1])
        click.echo(f"  labels      each on its own: validation {each}, test {percent(labels.test_accuracy)}")
    click.echo(
        f"  cost        {duration(trial.seconds)} (encoder {duration(trial.encode_seconds)}, "
        f"classifier {duration(trial.train_seconds)}), {size(trial.peak_memory)} on {trial.device or '-'}"
    )
    click.echo(f"  seed        {trial.seed if trial.seed is not None else '-'}")
    if trial.finished_at:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(trial.finished_at))
        click.echo(f"  finished    {moment}, {ago(trial.finished_at)}")
    if trial.embedding:
        click.echo(f"  embedding   {opened.path / 'embeddings' / trial.embedding}")
    click.echo()
    if labels is not None:
        _print_labels(labels)
        click.echo()
    space = rooms.space(settings)
    rows = []
    for line in graph_text.lines(space.graph(space.parse(trial.net))):
        if (node := line.node) is None:
            rows.append((f"{line.rails}{line.group}", "", "", "", ""))
            continue
        of = f" of {', '.join(map(str, line.inputs))}" if line.inputs else ""
        number = f"{line.number} " if of else ""
        written = f"{line.rails}{number}{node.text or '-'}{of}"
        rows.append((written, node.kind, graph_text.shape(node), f"{node.parameters:,}", f"{node.operations:,}"))
    print_table(("LAYER", "KIND", "OUTPUT", "WEIGHTS", "MULTIPLY-ADDS"), rows, right=(2, 3, 4))


def _print_labels(labels: Labels) -> None:
    """Of each label what it came to on the test split, or on the validation split where it was not tested."""
    split = "test" if labels.test else "validation"
    print_table(
        (f"LABEL ({split})", "ACCURACY", "PRECISION", "RECALL", "F1"),
        [
            (printable(s.label), percent(s.accuracy), percent(s.precision), percent(s.recall), percent(s.f1))
            for s in labels.test or labels.validation
        ],
        right=(1, 2, 3, 4),
    )


@click.command("log")
@run_argument
@click.option("-n", "--lines", type=click.IntRange(1), default=20, show_default=True, help="How many records.")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is logged.")
@click.option("--level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True)
def log_command(run: str | None, lines: int, follow: bool, level: protocol.LogLevel) -> None:
    """The daemon's newest log records. The files are in RUN/log/."""
    with Client.connect(Target.parse(run)) as client:
        client.subscribe()
        params = protocol.LogParams(limit=lines, level=level)
        page: protocol.LogPage = client.call("log", params)
        last = 0
        for record in page.rows:
            _print_record(record)
            last = record.id
        order = ("debug", "info", "warning", "error")
        for event in client.events() if follow else ():
            if not isinstance(event, protocol.Logged) or event.record.id <= last:
                continue
            if order.index(event.record.level) >= order.index(level):
                _print_record(event.record)


def _print_record(record: protocol.LogRecord) -> None:
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
    lines = [printable(line) for line in record.message.split("\n")]
    click.echo(f"{moment} {record.level:<7} {record.source}: " + "\n    ".join(lines))
