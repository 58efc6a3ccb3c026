"""Files that a search learned: referred to again, missing, damaged."""

import signal

import pytest

from nasd.runs.verify import examine
from nasd.strategies.base import Learned
from nasd.strategies.enas.strategy import Enas
from store import Run
from tests.helpers.nasd_harness import Process, living, make, rows, sound, tell, until


def refer_to_earlier(monkeypatch, names):
    """Have the strategy's payloads refer, besides the file that comes with them, to those that `names` gives."""
    observe = Enas.observe

    def observed(self, proposal, outcome):
        found = observe(self, proposal, outcome)
        learned = Learned(found.learned.payload, (*found.learned.files, *names(proposal.number)))
        return type(found)(**{name: getattr(found, name) for name in found.__slots__} | {"learned": learned})

    monkeypatch.setattr(Enas, "observe", observed)


async def test_a_payload_may_refer_to_a_file_that_came_earlier(home, monkeypatch):
    def before(number):
        return (f"supernet-{number - 1:06}.safetensors",) if number > 1 else ()

    refer_to_earlier(monkeypatch, before)
    directory = make(home, 5, "enas")
    async with living(directory) as live:
        await live.state("finished")
    assert len(rows(directory)) == 5
    sound(directory)


async def test_a_payload_that_refers_to_no_file_is_the_strategys_fault(home, monkeypatch):
    refer_to_earlier(monkeypatch, lambda _number: ("elsewhere",))
    async with living(make(home, 5, "enas")) as live:
        status = await live.state("failed")
        assert "refers to elsewhere, which neither came with it nor is kept" in status.problems[0]
    assert rows(live.directory) == []


@pytest.mark.parametrize("damage", ["missing", "flipped"])
def test_a_damaged_file_ends_the_search_in_one_sentence(home, damage):
    directory = make(home, 8, "enas")
    tell(directory, trials={4: "hang"})
    with Process(directory) as daemon:
        daemon.ready()
        until(lambda: daemon.status().progress.trials == 3, "three epochs")
        daemon.end()
    file = directory / "learned" / "supernet-000003.safetensors"
    if damage == "missing":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[100] ^= 1
        file.write_bytes(content)
    tell(directory)
    before = rows(directory)
    with Process(directory) as daemon:
        status = daemon.ready().state("failed")
        what = "is missing" if damage == "missing" else "is not what was committed"
        assert status.problems == (f"{file} {what}; restore the run from a snapshot",)
        code, _ = daemon.end(signal.SIGTERM)
        assert code == 1
    assert rows(directory) == before
    log = (directory / "log" / "daemon.jsonl").read_text()
    assert "error of its own" not in log
    assert "Traceback" not in log
    with Run.open(directory) as run:
        assert [problem.where for problem in examine(run).problems] == ["learned/supernet-000003.safetensors"]
