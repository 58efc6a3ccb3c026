"""Snapshots beside a running search: a prefix of it, that goes on to the same end."""

import json

import pytest

from nasd import config as configuration
from nasd.cli import cli
from nasd.runs import changes
from store import Run, snapshot
from tests.daemon.test_daemon_torn import updates_of
from tests.helpers.nasd_harness import living, make, rows, short_folder, soon, sound, tell


def restore(tar, home, name="again"):
    """As `nasd restore --name`."""

    def settle(text):
        config = configuration.rename(configuration.parse(text), name)
        return name, configuration.dump(config)

    return snapshot.restore(tar, home, settle)


async def test_taken_while_the_search_runs(home):
    directory = make(home, 40, store={"keep_embeddings": 2}, search={"lookahead": 2})
    tell(directory, embed=10)
    tars = []
    async with living(directory) as live:
        for number in (5, 15, 25):
            await soon(lambda number=number: live.trials >= number, "trials")
            tars.append(home / f"{number}.tar")
            snapshot.write(directory, tars[-1])
        await live.state("finished")
    with Run.open(directory) as run:
        all_updates = updates_of(run)
    for tar in tars:
        restored = restore(tar, home, f"from-{tar.stem}")
        sound(restored)
        with Run.open(restored) as run:
            assert int(tar.stem) <= run.count() < 40
            assert updates_of(run) == all_updates[: run.count()]
        async with living(restored) as live:
            await live.state("finished")
        assert sound(restored) == sound(directory)
        assert [row | {"embedding": None} for row in rows(restored)] == [
            row | {"embedding": None} for row in rows(directory)
        ]


async def test_by_itself(home):
    with short_folder() as elsewhere:
        folder = elsewhere / "safe"
        directory = make(home, 30, snapshots={"every": 4, "keep": 2, "to": str(folder)})
        folder.mkdir()
        (folder / "stub-notes.txt").write_text("of somebody else")
        (folder / "other-000001.tar").write_text("of another run")
        tell(directory, seconds=0.02)
        async with living(directory) as live:
            await live.state("finished")
        names = sorted(path.name for path in folder.iterdir())
        assert names[0] == "other-000001.tar"
        assert names[-1] == "stub-notes.txt"
        assert len(names) == 4
        assert [int(name[5:11]) % 4 for name in names[1:3]] == [0, 0]
        restored = restore(folder / names[2], home)
        with Run.open(restored) as run:
            assert run.count() >= int(names[2][5:11])
        async with living(restored) as live:
            await live.state("finished")
        assert sound(restored) == sound(directory)


async def test_a_folder_that_takes_none_is_a_problem_and_no_end(home):
    (home / "file").write_text("in the way")
    directory = make(home, 12, snapshots={"every": 3, "to": str(home / "file" / "below")})
    async with living(directory) as live:
        await live.state("finished")
        await soon(lambda: live.status.problems, "the problem")
        assert "the snapshot after trial" in live.status.problems[0]
    sound(directory)


@pytest.fixture
def nasd(home, capsys):
    def run(*arguments):
        cli.main([str(argument) for argument in arguments], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_the_commands(nasd, home):
    make(home, 3)
    assert "0 trials in" in nasd("snapshot", "stub", home / "file.tar")
    assert "nasd start other" in nasd("restore", home / "file.tar", "--name", "other")
    assert json.loads(nasd("verify", "other", "--json"))["problems"] == []


@pytest.mark.parametrize("set_later", [False, True])
def test_a_command_that_a_snapshot_names_is_not_run(nasd, home, set_later):
    """By its config, or by a change that was made to it."""
    command = {"command": ["touch", "/tmp/of somebody else"]}
    make(home, 3, **({} if set_later else {"notify": command}))
    if set_later:
        nasd("set", "stub", f"notify={json.dumps(command)}")
    nasd("snapshot", "stub", home / "file.tar")
    said = nasd("restore", home / "file.tar", "--name", "other")
    assert 'notify.command was taken out; if you trust it:  ["touch", "/tmp/of somebody else"]' in said
    with Run.open(home / "other") as run:
        assert changes.config_of(run).notify.command == ()
    with Run.open(home / "stub") as run:
        assert changes.config_of(run).notify.command == ("touch", "/tmp/of somebody else")
    assert json.loads(nasd("verify", "other", "--json"))["problems"] == []
