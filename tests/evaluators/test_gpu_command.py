"""`python -m benchmarks.gpu`: what it makes of the parts that it runs."""

import json
import sys

import pytest

from benchmarks import gpu


def test_tables_become_rows():
    text = "Load 2.\n\n| a | b |\n| --- | --- |\n| 1 | x y |\n| 2 |  |\n\nor\n| c |\n| - |\n| 3 |\nend"
    assert gpu.tables(text) == [[{"a": "1", "b": "x y"}, {"a": "2", "b": ""}], [{"c": "3"}]]
    assert gpu.tables("no table") == []


def test_a_part_is_run_and_its_words_are_kept():
    done = gpu.run("pytest --version", 60)
    assert (done.outcome, done.command) == ("done", "python -m pytest --version")
    assert done.output.startswith("pytest ")
    failed = gpu.run("benchmarks.memory --architectures none", 60)
    assert failed.outcome == "failed"
    assert "invalid int value: 'none'" in failed.output


def test_a_part_that_does_not_end_keeps_what_it_said(tmp_path, monkeypatch):
    (tmp_path / "endless.py").write_text("import time\nprint('| a |\\n| - |\\n| 1 |')\ntime.sleep(600)\n")
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    cut = gpu.run("endless", 3)
    assert cut.outcome == "not finished in 3 s"
    assert cut.tables in ([], [[{"a": "1"}]])  # a busy machine may not have started it by then
    assert cut.seconds < 60


def called(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["gpu", *arguments])
    gpu.main()


def test_time_is_divided_and_what_has_none_is_left_out(tmp_path, monkeypatch):
    given = {}

    def run(arguments, seconds):
        given[arguments] = seconds
        return gpu.Result(arguments, seconds, "done", [[{"a": "1"}]], "| a |")

    monkeypatch.setattr(gpu, "device", lambda: "GPU of a test")
    monkeypatch.setattr(gpu, "run", run)
    called(monkeypatch, "--out", str(tmp_path / "made" / "all"))
    assert list(given) == [part.gpu for part in gpu.PARTS.values()]
    shares = sum(part.share for part in gpu.PARTS.values())
    first = gpu.PARTS["tests"]
    assert given[first.gpu] == pytest.approx(540 * first.share / shares, abs=1)
    assert all(seconds <= 540 for seconds in given.values())
    found = json.loads((tmp_path / "made" / "all.json").read_text())
    assert found["device"] == "GPU of a test"
    assert found["parts"]["kills"]["tables"] == [[{"a": "1"}]]

    given.clear()
    called(monkeypatch, "--minutes", "0.1", "--out", str(tmp_path / "none"))
    assert not given
    assert (tmp_path / "none.md").read_text().count("left out, no time") == len(gpu.PARTS)


def test_a_failed_part_is_the_commands_exit(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "device", lambda: "cpu")
    monkeypatch.setattr(gpu, "run", lambda arguments, seconds: gpu.Result(arguments, 1.0, "failed", [], "no"))
    with pytest.raises(SystemExit, match="a part failed"):
        called(monkeypatch, "--only", "tests", "--out", str(tmp_path / "cpu"))
    assert "`" + gpu.PARTS["tests"].cpu in (tmp_path / "cpu.md").read_text(), "without a GPU, the small form"


def test_what_a_bare_machine_lacks_is_said_in_a_sentence(monkeypatch):
    assert gpu.missing() is None
    monkeypatch.setitem(gpu.NEEDED, "not_there", "not-there")
    with pytest.raises(SystemExit, match=r"^benchmarks.gpu needs not-there: install them, or"):
        called(monkeypatch)
