"""A search that nobody runs: made-up trials, curves, jobs and load of any strategy, the same every time."""

import math
import os
import random
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

import msgspec

from nasd import protocol as p
from nasd.errors import NasdError
from nasd.graph import Graph, Node
from nasd.protocol import pnas
from nasd.protocol.evolution import Member, Population, PopulationParams
from nasd.protocol.qlearning import ACTION_LISTING, Action, Neighbour, Neighbours, NeighboursParams, QPage, QParams
from tests.helpers import fake_cells

CREATED = 1_763_600_000.0
SCHEDULE = ((1.0, 1500), *((round(0.1 * tenth, 1), 100) for tenth in range(9, 0, -1)), (0.0, 103))
TOTAL = sum(trials for _, trials in SCHEDULE)
POPULATION, SAMPLE = 100, 25
STAGES: dict[str, tuple[tuple[str, int], ...]] = {
    "qlearning": tuple((f"e={epsilon:g}", trials) for epsilon, trials in SCHEDULE),
    "random": (("random", TOTAL),),
    "pnas": (("b=1", 136), *((f"b={blocks}", fake_cells.K) for blocks in range(2, fake_cells.LAST + 1))),
    "evolution": (("initial", POPULATION), ("cycle", TOTAL - POPULATION)),
    "enas": (("epochs", TOTAL),),
}
KEYS: dict[str, Callable[[p.TrialRow], Any]] = {
    "number": lambda row: row.number,
    "reward": lambda row: (row.reward, row.number),
    "best_validation": lambda row: (row.best_validation or -1.0, row.number),
    "test_accuracy": lambda row: (row.test_accuracy or -1.0, row.number),
    "seconds": lambda row: (row.seconds, row.number),
    "finished_at": lambda row: (row.finished_at, row.number),
}


def successors(path: tuple[str, ...], side: int) -> list[tuple[str, int, int, bool]]:
    """(text, features, side after it, terminal) of the actions of a state: small, but shaped like the real space."""
    convs = sum(1 for layer in path if layer.startswith("C"))
    found = []
    if convs < 6:
        for features in (32, 64, 128, 256):
            found += [(f"C({features},{k},1,{(k - 1) // 2},1)", features, side, False) for k in (1, 3, 5) if k < side]
            if side > 3:
                found.append((f"C({features},3,1,1,0)", features, side, False))
    if path and path[-1].startswith("C"):
        found += [(f"P({k},{k},0,0)", 0, side // k, False) for k in (2, 4) if side % k == 0 and side > k]
    if convs >= 3:
        found.append(("SM(10)", 10, 1, True))
    return found


def draw(rng: random.Random) -> tuple[str, ...]:
    """A random architecture, as layers."""
    path: tuple[str, ...] = ()
    side = 28
    while True:
        choices = successors(path, side)
        # Endings and pools are rare among the actions; favour them, so that architectures stay short.
        weights = [12 if text.startswith("SM") else 6 if text.startswith("P") else 1 for text, *_ in choices]
        text, _, side, terminal = rng.choices(choices, weights)[0]
        path += (text,)
        if terminal:
            return path


def graph_of(net: str) -> Graph:
    """The chain of an architecture with shapes and weights."""
    side, channels = 28, 1
    nodes = [Node(kind="input", text="", shape=(1, 28, 28))]
    for text in net.strip("[]").split(", "):
        numbers = [int(word) for word in text[text.index("(") + 1 : -1].split(",")]
        if text.startswith("C") and numbers[-1] == 1:
            kind, features, weights = "conv", numbers[0], channels * numbers[0] * numbers[1] ** 2
        elif text.startswith("C"):
            kind, features = "wrn", numbers[0]
            weights = 9 * channels * features + 9 * features**2
            weights += channels * features if channels != features else 0
        elif text.startswith("P"):
            kind, features, weights, side = "max_pool", channels, 0, side // numbers[0]
        else:
            inputs = channels * side**2
            nodes.append(Node(kind="embedding", text="", shape=(inputs,)))
            nodes.append(Node(kind="classifier", text=text, shape=(numbers[0],), parameters=inputs * numbers[0]))
            continue
        channels = features
        nodes.append(Node(kind=kind, text=text, shape=(features, side, side), parameters=weights))
    return Graph(nodes=tuple(nodes), edges=tuple((index, index + 1) for index in range(len(nodes) - 1)))


class World:
    """The search that the fake daemon pretends to run."""

    def __init__(
        self, trials: int = 700, seed: int = 1, name: str = "fashion-mnist", strategy: str = "qlearning"
    ) -> None:
        self.rng = random.Random(seed)
        self.name, self.strategy = name, strategy
        self.endless = False  # whether the strategy does not know how many trials it will ask for
        self.rows: list[p.TrialRow] = []
        self.rewards: list[float] = []  # of the trials that counted
        self.counted_numbers: list[int] = []
        self.first: dict[str, int] = {}
        self.best: list[p.TrialRow] = []
        self.by_status: dict[str, int] = {}
        self.clock = CREATED
        self.scale = max(1, -(-trials // TOTAL))  # a schedule long enough for the trials
        self.stages = [(label, count * self.scale) for label, count in STAGES[strategy]]
        self.state: p.RunState = "running"
        self.activity = "evaluating the next trial"
        self.problems: tuple[str, ...] = ()
        self.jobs: list[p.JobRow] = []
        self.notes: tuple[str, ...] = ()  # of the jobs
        self.log: list[p.LogRecord] = []
        self.epoch = 0
        self.curve: list[float] = []
        self.train: list[float] = []
        pool = [draw(self.rng) for _ in range(4000)] if trials > 5000 else []
        for _ in range(trials):
            self.finish(self.rng.choice(pool) if pool else None)
        self.record("info", "scheduler", f"run {name} opened, {trials:,} trials")
        self.record("warning", "supervisor", "worker 0 was lost while at trial 412 (SIGKILL); trying again")
        for number in range(max(1, trials - 60), trials + 1):
            row = self.rows[number - 1] if self.rows else None
            if row is not None:
                self.record("info", "scheduler", f"trial {number} {row.status}, reward {row.reward:.4f}")
        self.next_net = draw(self.rng)
        self.advance(23)

    def position(self) -> tuple[int, int]:
        """The present stage, and how many trials counted in it."""
        counted = len(self.rewards)
        for index, (_, asked) in enumerate(self.stages):
            if counted < asked or index == len(self.stages) - 1:
                return index, counted
            counted -= asked
        raise AssertionError

    def text(self, layers: tuple[str, ...]) -> str:
        """An architecture as the strategy's space writes it."""
        if self.strategy == "pnas":
            return fake_cells.draw(random.Random("".join(layers)), self.position()[0] + 1)
        return f"[{', '.join(layers)}]"

    def skill(self, stage: int) -> float:
        """How much better than chance the strategy proposes: 0 to 1."""
        if self.strategy == "random":
            return 0.0
        if self.strategy == "qlearning":
            return 1 - SCHEDULE[stage][0]
        return min(1.0, len(self.rewards) / TOTAL)

    def facts(self, stage: int) -> dict[str, Any]:
        if self.strategy == "qlearning":
            return {"epsilon": SCHEDULE[stage][0]}
        if self.strategy == "pnas":
            known = {"prediction": round(0.86 + self.rng.gauss(0, 0.03), 4), "spread": 0.011} if stage else {}
            return {"level": stage + 1, **known}
        if self.strategy == "evolution" and stage:
            parent = self.rows[self.counted_numbers[-1 - len(self.rows) % POPULATION] - 1]
            return {"parent": parent.number, "parent_reward": parent.reward}
        return {}

    def finish(self, net: tuple[str, ...] | None = None) -> p.TrialRow:
        """One more trial."""
        rng, number = self.rng, len(self.rows) + 1
        index, _ = self.position()
        skill = self.skill(index)
        text = self.text(net or draw(rng))
        if self.rows and rng.random() < 0.03 + 0.10 * skill:
            text = self.rows[rng.randrange(len(self.rows))].net
        before = self.first.setdefault(text, number)
        seconds = round(rng.uniform(20, 60), 2)
        common = {"number": number, "net": text, "stage": self.stages[index][0], "facts": self.facts(index)}
        chance = rng.random()
        if before != number:
            original = self.rows[before - 1]
            same = ("reward", "counted", "best_validation", "test_accuracy", "reason", "embedding_dim")
            kept = {name: getattr(original, name) for name in same}
            row = p.TrialRow(
                status="duplicate", duplicate_of=before, seconds=0.0, finished_at=self.clock, **common, **kept
            )
        elif chance < 0.03:
            reason = "the embedding would have 25,088 values, at most 20,000 fit the classifier"
            row = p.TrialRow(
                status="infeasible", reward=0.0, counted=False, reason=reason, finished_at=self.clock, **common
            )
        elif chance < 0.045:
            reason = "CUDA error: an illegal memory access was encountered (twice, on cuda:0)"
            row = p.TrialRow(
                status="failed", reward=0.0, counted=False, reason=reason, finished_at=self.clock, seconds=3.1, **common
            )
        elif chance < 0.075:
            accuracy = round(rng.uniform(0.09, 0.14), 4)
            row = p.TrialRow(
                status="early_stopped", reward=accuracy, counted=True, best_validation=accuracy + 0.01,
                reason="10.9 % after 10 epochs, at least 15 % are asked for", seconds=seconds / 7,
                finished_at=self.clock + seconds / 7, **common,
            )  # fmt: skip
        else:
            reward = round(0.926 - abs(rng.gauss(0.10 - 0.08 * skill, 0.06 - 0.04 * skill)), 4)
            row = p.TrialRow(
                status="evaluated", reward=reward, counted=True, best_validation=round(reward + 0.006, 4),
                test_accuracy=round(reward - 0.004, 4), seconds=seconds, finished_at=self.clock + seconds,
                imported=number <= 12, embedding=f"embeddings/{number}.zarr",
                embedding_dim=6272, device="cuda:0", **common,
            )  # fmt: skip
        self.clock = row.finished_at
        self.rows.append(row)
        self.by_status[row.status] = self.by_status.get(row.status, 0) + 1
        if row.counted:
            self.rewards.append(row.reward)
            self.counted_numbers.append(number)
        if row.status == "evaluated":
            self.best = sorted([*self.best, row], key=lambda one: -one.reward)[:5]
        return row

    def advance(self, epochs: int) -> None:
        """The trial under way gets further."""
        for _ in range(epochs):
            self.epoch += 1
            level = 0.87 - 0.35 / self.epoch
            self.curve.append(round(level + self.rng.uniform(-0.012, 0.012), 4))
            self.train.append(round(level + 0.02 * self.epoch / 30, 4))

    def restart_trial(self) -> None:
        self.next_net, self.epoch, self.curve, self.train = draw(self.rng), 0, [], []

    def record(self, level: p.LogLevel, source: str, message: str) -> p.LogRecord:
        row = p.LogRecord(id=len(self.log) + 1, time=self.clock, level=level, source=source, message=message)
        self.log.append(row)
        return row

    def worker(self) -> p.WorkerStatus:
        busy = self.state in ("running", "pausing")
        return p.WorkerStatus(
            id=0, device="cuda:0", pid=4711, state="busy" if busy else "idle", trial=len(self.rows) + 1 if busy else None,  # noqa: E501
            net=self.text(self.next_net) if busy else None, stage="train" if busy else None, epoch=self.epoch,
            epochs=70, validation_accuracies=tuple(self.curve), train_accuracies=tuple(self.train),
            started_at=self.clock - 14.0, memory=3 << 30,
        )  # fmt: skip

    def machine(self) -> p.Machine:
        return p.Machine(
            cpu=0.37, memory_used=21 << 30, memory_total=128 << 30, disk_run=412 << 20, disk_free=830 << 30,
            devices=(p.Device(name="H200", utilisation=0.91, memory_used=38 << 30, memory_total=141 << 30),),
        )  # fmt: skip

    def load(self, points: int) -> p.MachineHistory:
        """A day and a night."""
        times = [self.clock - 600.0 * step for step in range(points)][::-1]
        waves = [0.5 + 0.4 * math.sin(step / 9) for step in range(points)]
        return p.MachineHistory(
            times=tuple(times), trials_per_hour=tuple(round(90 + 30 * wave, 1) for wave in waves),
            cpu=tuple(round(0.6 * wave, 3) for wave in waves), memory=tuple(2e10 + 3e9 * wave for wave in waves),
            devices=(
                p.DeviceHistory(
                    name="H200", utilisation=tuple(waves), memory=tuple(4e10 * wave for wave in waves),
                    temperature=tuple(40 + 20 * wave for wave in waves), power=(None,) * points,
                ),
            ),
        )  # fmt: skip

    def total(self) -> int | None:
        return None if self.endless else sum(asked for _, asked in self.stages)

    def progress(self) -> p.SearchProgress:
        counted = len(self.rewards)
        index, _ = self.position()
        total, tail = self.total(), self.rewards[-20:]
        left = 31.0 * (total - counted) if total is not None and counted else None
        return p.SearchProgress(
            trials=len(self.rows), counted=counted, total=total, stage=index,
            stages=tuple(
                p.StageProgress(label=stage.label, done=stage.done, of=stage.of) for stage in self.stage_rewards()
            ),
            by_status=dict(self.by_status), rolling_reward=sum(tail) / len(tail) if tail else None, eta_seconds=left,
            eta_low=0.9 * left if left is not None else None, eta_high=1.25 * left if left is not None else None,
        )  # fmt: skip

    def status(self, directory: str) -> p.Status:
        return p.Status(
            name=self.name, directory=directory, pid=os.getpid(), version="0.1.0", strategy=self.strategy,
            space="cells" if self.strategy == "pnas" else "layers", state=self.state,
            activity=self.activity, progress=self.progress(), best=tuple(self.best), recent=tuple(self.rows[-10:][::-1]),  # noqa: E501
            workers=(self.worker(),), machine=self.machine(), problems=self.problems, started_at=self.clock - 7200,
            created_at=CREATED, time=self.clock, dataset="FashionMNIST",
            jobs_queued=sum(job.status == "queued" and not job.paused for job in self.jobs),
        )  # fmt: skip

    def stage_rewards(self) -> tuple[p.StageRewards, ...]:
        found, start = [], 0
        for label, asked in self.stages:
            of = None if self.endless and (label, asked) == self.stages[-1] else asked
            rewards = sorted(self.rewards[start : start + asked])
            if not rewards:
                found.append(p.StageRewards(label=label, of=of, done=0))
                continue
            last = len(rewards) - 1
            quartiles = tuple(rewards[round(last * part / 4)] for part in range(5))
            edges = [bisect_left(rewards, edge / 20) for edge in range(20)] + [len(rewards)]
            found.append(
                p.StageRewards(
                    label=label, of=of, done=len(rewards), first_trial=self.counted_numbers[start],
                    mean=sum(rewards) / len(rewards), quartiles=quartiles,  # type: ignore[arg-type]
                    histogram=tuple(edges[i + 1] - edges[i] for i in range(20)),
                )
            )  # fmt: skip
            start += asked
        return tuple(found)

    def reward_points(self, points: int) -> p.Rewards:
        total = len(self.rewards)
        chosen = sorted({round(i * (total - 1) / max(1, points - 1)) for i in range(points)}) if total else []
        found = []
        for index in chosen:
            window = self.rewards[max(0, index - 19) : index + 1]
            number = self.counted_numbers[index]
            found.append(p.RewardPoint(trial=number, mean=sum(window) / len(window), reward=self.rewards[index]))
        return p.Rewards(window=20, points=tuple(found), stages=self.stage_rewards())

    def graph(self, net: str) -> Graph:
        try:
            return fake_cells.graph(net) if net.startswith("cell[") else graph_of(net)
        except ValueError:  # a test's own string, which is no architecture
            return Graph(nodes=(), edges=())

    def detail(self, number: int) -> p.TrialDetail:
        if not 1 <= number <= len(self.rows):
            raise NasdError(f"there is no trial {number}: the newest is {len(self.rows)}")
        row = self.rows[number - 1]
        rng = random.Random(number)
        evaluated = row.status in ("evaluated", "early_stopped")
        epochs = 70 if row.status == "evaluated" else 10
        top = row.best_validation or 0.0
        curve = (
            [round(top - 0.3 / (1 + epoch) - rng.uniform(0, 0.01), 4) for epoch in range(epochs)] if evaluated else []
        )
        train = [round(value + 0.001 * epoch / 2, 4) for epoch, value in enumerate(curve)]
        return p.TrialDetail(
            row=row, seed=rng.randrange(2**40) if evaluated else None, validation_accuracies=tuple(curve),
            train_accuracies=tuple(train), embedding_dim=6272 if evaluated else None,
            micro_batch=128 if evaluated else None, encode_seconds=1.62 if evaluated else 0.0,
            train_seconds=row.seconds - 1.62 if evaluated else 0.0, peak_memory=2_300 << 20 if evaluated else 0,
            device="cuda:0" if evaluated else "", graph=self.graph(row.net),
            duplicates=tuple(one.number for one in self.rows if one.duplicate_of == number)[:20],
            repeats=sum(one.duplicate_of == number for one in self.rows),
            rank=1 + sum(reward > row.reward for reward in set(self.rewards)) if evaluated else None,
            ranked=sum(one.status in ("evaluated", "early_stopped") for one in self.rows),
        )  # fmt: skip

    # --- what only one strategy has --------------------------------------------------------------------------------

    def neighbours(self, params: NeighboursParams) -> Neighbours:
        rng, steps = random.Random(params.net), []
        for index, layer in enumerate(params.net.strip("[]").split(", ")):
            q = 0.15 + 0.6 * rng.random()
            better = index % 3 == 2
            steps.append(
                Neighbour(
                    action=layer, q=q, tried=rng.randrange(1, 300), rank=4 if better else 1, alternatives=16,
                    best_action="C(128,5,1,2,1)" if better else layer, best_q=q + 0.03 if better else q,
                )
            )  # fmt: skip
        return Neighbours(steps=tuple(steps))

    def levels(self, params: p.Empty) -> pnas.Levels:
        return fake_cells.levels(self.rows, self.stages[-1][1])

    def cells(self, params: pnas.CellsParams) -> pnas.Cells:
        return fake_cells.cells(self.rows, self.stages[-1][1], params)

    def outcomes(self, params: pnas.OutcomesParams) -> pnas.Outcomes:
        return fake_cells.outcomes(self.rows, params.blocks)

    def population(self, params: PopulationParams) -> Population:
        numbers = self.counted_numbers[: -POPULATION - 1 : -1]
        members = []
        for age, number in enumerate(numbers):
            row = self.rows[number - 1]
            members.append(
                Member(trial=number, net=row.net, reward=row.reward, age=age, parent=row.facts.get("parent"))
            )
        offset, limit = max(0, params.offset), max(1, min(params.limit, p.MAX_PAGE))
        return Population(
            size=POPULATION, sample_size=SAMPLE, total=len(members), offset=offset,
            members=tuple(members[offset : offset + limit]),
        )  # fmt: skip

    def page(self, params: QParams) -> QPage:
        side = 28
        for depth, text in enumerate(params.path):
            found = [one for one in successors(params.path[:depth], side) if one[0] == text]
            if not found:
                raise NasdError(f"after {depth} layers there is no action {text!r} here")
            side = found[0][2]
        actions = []
        for text, _, _, terminal in successors(params.path, side):
            rng = random.Random("/".join((*params.path, text)))
            tried = rng.randrange(0, 400 >> len(params.path))
            q = 0.15 + (0.7 * rng.random() if tried else 0.0)
            actions.append(Action(text=text, q=q, tried=tried, greedy=False, terminal=terminal))
        actions.sort(key=lambda action: -action.q)
        best = actions[0].q if actions else 0.0
        actions = [msgspec.structs.replace(action, greedy=action.q == best) for action in actions]
        listed = list(filter(ACTION_LISTING.matching(params.where), actions))
        return QPage(
            path=params.path, image_size=side, depth=sum(text.startswith("C") for text in params.path),
            actions=tuple(listed[params.offset : params.offset + params.limit]), total=len(listed),
            best=best, lowest=min((action.q for action in actions if action.tried), default=best),
            offset=params.offset, greedy_path=self.greedy(params.path, actions, side),
        )  # fmt: skip

    def greedy(self, path: tuple[str, ...], actions: list[Action], side: int) -> tuple[str, ...]:
        rng = random.Random("".join(path))
        return (actions[0].text, *(draw(rng)[-3:] if not actions[0].terminal else ())) if actions else ()
