"""Jobs: what a person queued, what is at work, what came of it."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from nasd import protocol
from nasd.errors import NasdError
from tui import text, theme
from tui.link import Change, Link, Renewed
from tui.messages import ShowTrial
from tui.panes.pane import ListPane
from tui.widgets.filter import FilterLine
from tui.widgets.table import Cell, Column, PagedTable
from tui.work import work

COLUMNS = (
    Column("job", 5, "right"),
    Column("", 1),
    Column("status", 10),
    Column("prio", 4, "right"),
    Column("progress", 16),
    Column("kind", 8, least=100),
    Column("queued", 10, least=100),
    Column("what", 0),
)


EMPTY = "No job was queued yet.\nr queues one here, or on a trial in the screens Trials and Trial."


class Jobs(ListPane):
    """The queue in the order in which it is worked off, then the ended jobs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "reorder(1)", "sooner", key_display="+", id="jobs.sooner", tooltip="Raise it"),
        Binding("minus", "reorder(-1)", "later", key_display="-", id="jobs.later", tooltip="Lower it"),
        Binding("space", "pause_job", "pause", id="jobs.pause", tooltip="Hold it back, or let it go on where it was"),
        Binding("x,delete", "cancel_job", "cancel", id="jobs.cancel", tooltip="Cancel this job; asks once more"),
        Binding("r", "app.retrain_net", "new job", id="jobs.retrain", tooltip="Queue a job of any architecture"),
    ]  # fmt: skip

    OF_DAEMON = frozenset({"reorder", "pause_job", "cancel_job"})

    def __init__(self, link: Link, id: str) -> None:
        super().__init__(link, id)
        self._detail = _JobDetail()
        self.line = FilterLine(
            protocol.JOB_LISTING.fields,
            protocol.JOB_LISTING.searched,
            "status:failed | kind:retrain trial=117",
            id="jobs",
            lasting=False,
        )
        self.listed: PagedTable[protocol.JobRow] = PagedTable(
            COLUMNS, self._cells, lambda job: job.id, self._fetch,
            EMPTY,
        )  # fmt: skip

    def compose(self) -> ComposeResult:
        """The queue, then the job under the cursor."""
        yield self.line
        yield self.listed
        yield self._detail

    def enter(self) -> None:
        """Catch up."""
        self.listed.focus()
        self.listed.renew()

    def hear(self, change: Change) -> None:
        """Jobs change by themselves."""
        if isinstance(change, Renewed | protocol.JobChanged):
            self.listed.renew()

    def action_reorder(self, step: int) -> None:
        """Sooner or later, if it waits."""
        if (job := self.listed.row) is None:
            return
        if job.status != "queued":
            self.notify(f"Job {job.id} is {job.status}: only queued jobs can be moved.", timeout=3)
            return
        self._ask("move_job", protocol.MoveJobParams(id=job.id, priority=job.priority + step))

    def action_pause_job(self) -> None:
        """Hold it back; if it is paused already, let it go on."""
        if (job := self.listed.row) is None:
            return
        if job.status not in ("queued", "running"):
            self.notify(f"Job {job.id} is {job.status}: there is nothing to pause.", timeout=3)
            return
        self._ask("move_job", protocol.MoveJobParams(id=job.id, priority=None, paused=not job.paused))

    def action_cancel_job(self) -> None:
        """Asked once more."""
        from tui.dialogs.confirm import Confirm  # noqa: PLC0415

        if (job := self.listed.row) is None:
            return
        if job.status not in ("queued", "running"):
            self.notify(f"Job {job.id} is {job.status}: there is nothing to cancel.", timeout=3)
            return
        params = protocol.JobParams(id=job.id)
        question = f"Cancel job {job.id}, {text.clean(job.summary)}?"
        self.app.push_screen(
            Confirm(question, "Cancel job"), lambda yes: self._ask("cancel_job", params) if yes else None
        )

    @on(FilterLine.Asked)
    def _asked(self) -> None:
        self.listed.empty = "No job matches.\nEsc lists all again." if self.line.where else EMPTY
        self.listed.restart()

    @on(PagedTable.Opened)
    def _opened(self, message: PagedTable.Opened) -> None:
        from tui.dialogs.job import JobDialog  # noqa: PLC0415

        self.app.push_screen(JobDialog(message.row, self.link.now), self._leave)

    def _leave(self, trial: int | None) -> None:
        if trial is not None:
            self.post_message(ShowTrial(trial))

    @on(PagedTable.Moved)
    def _moved(self) -> None:
        self._detail.show(self.listed.row, self.link.now)

    def _ask(self, method: str, params: protocol.Params) -> None:
        work(self, f"jobs-{method}", self._asking, method, params)

    async def _asking(self, method: str, params: protocol.Params) -> None:
        try:
            await self.link.call(method, params)
        except NasdError as error:
            self.notify(text.clean(str(error)), severity="error", markup=False)
        self.listed.renew()

    async def _fetch(self, offset: int, limit: int) -> tuple[int, Sequence[protocol.JobRow]]:
        page: protocol.JobPage = await self.link.call(
            "jobs", protocol.JobsParams(offset=offset, limit=limit, where=self.line.where)
        )
        self._detail.border_title = Content(" · ".join(map(text.clean, page.notes)))
        return page.total, page.rows

    def _cells(self, job: protocol.JobRow) -> Sequence[Cell]:
        glyph, colour = theme.STATES["paused"] if job.paused else theme.JOBS[job.status]
        filled, rest = text.bar(job.progress, 10)
        active = job.status == "running"
        progress = f"{filled}{rest.replace(' ', '·')} {100 * job.progress:3.0f} %" if active or job.progress else ""
        name = colour[1:] if colour != "$foreground" else ""
        return (
            (str(job.id), "dim"),
            (glyph, name),
            ("paused" if job.paused else job.status, name),
            (f"{job.priority:+d}" if job.priority else "0", "" if job.status == "queued" else "dim"),
            (progress, name),
            (text.clean(job.kind), ""),
            (text.clock(job.created_at, self.link.now)[-10:], "dim"),
            (text.clean(job.summary), "" if job.status in ("queued", "running") else "dim"),
        )


class _JobDetail(Widget):
    """What came of the job under the cursor."""

    DEFAULT_CSS = """
    _JobDetail { height: 5; border-top: solid $border; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = Content()

    def show(self, job: protocol.JobRow | None, now: float) -> None:
        """Another job."""
        self._text = _told(job, now) if job else Content()
        self.refresh()

    def render(self) -> Content:
        """Up to four lines."""
        return self._text


def _told(job: protocol.JobRow, now: float) -> Content:
    lines = [Content.assemble(text.clean(job.summary))]
    times = [f"queued {text.clock(job.created_at, now)}"]
    if job.started_at:
        times.append(f"started {text.clock(job.started_at, now)}")
    if job.finished_at:
        times.append(f"ended {text.clock(job.finished_at, now)}")
    lines.append(Content.styled(" · ".join(times), "$dim"))
    if job.reason:
        lines.append(Content.styled(text.clean(job.reason), "$error" if job.status == "failed" else "$warning"))
    if job.result:
        facts = [_fact(text.clean(str(name)), value) for name, value in job.result.items() if value is not None]
        lines.append(Content.assemble(("result  ", "$dim"), (" · ".join(facts), "$success")))
    return Content("\n").join(lines)


def _fact(name: str, value: Any) -> str:
    """A result in words; accuracies and rewards, which lie in [0, 1], in percent."""
    name = name.replace("_", " ")
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        tests = [one["test_accuracy"] for one in value if isinstance(one.get("test_accuracy"), float)]
        return f"{len(value)} {name}" + "".join(f" {100 * test:.2f}" for test in tests[:10])
    if isinstance(value, float):
        return f"{name} {100 * value:.2f} %" if 0 <= value <= 1 else f"{name} {value:.4g}"
    return f"{name} {text.clean(value if isinstance(value, str) else msgspec.json.encode(value).decode())}"
