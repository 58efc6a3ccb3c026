"""CSV in and out, in the published columns."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasd.runs.published import q_values, replay, table
from nasd.runs.published.q_values import QRow
from nasd.runs.published.replay import ReplayRow
from nasd.runs.published.table import CsvError
from store import Delta, DiskError, Run
from tests.helpers import store_samples as samples

HEADER = "," + ",".join(replay.COLUMNS)
NET = '"[C(32,5,1,2,1), P(4,4,0,0), SM(10)]"'
# As the published DP-NAS code writes it: percentages, an index column, `[0]` for what was not evaluated.
PUBLISHED = f"""{HEADER}
0,1.0,{NET},True,0.884,89.2,"[87.5, 88.0, 88.1, 88.7, 88.5, 88.7]","[80.0, 85.0, 86.0, 87.0, 88.0, 89.5]",87.9
1,1.0,"[C(1024,1,1,0,1), SM(10)]",False,0.0,0,[0],[0],0
2,0.9,"[C(16,1,1,0,1), SM(10)]",False,0.1,11.5,"[9.0, 11.5]","[10.0, 10.0]",0
3,0.9,{NET},True,0.884,89.2,"[87.5, 88.0, 88.1, 88.7, 88.5, 88.7]","[80.0, 85.0, 86.0, 87.0, 88.0, 89.5]",87.9
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "made.csv"


def test_a_published_replay_buffer_is_read(file):
    file.write_text(PUBLISHED)
    first, infeasible, stopped, repeated = replay.read(file)
    assert first.net == "[C(32,5,1,2,1), P(4,4,0,0), SM(10)]"
    assert first.validation_accuracies == pytest.approx((0.875, 0.88, 0.881, 0.887, 0.885, 0.887))
    assert (first.reward, first.test_accuracy, first.best_validation) == pytest.approx((0.884, 0.879, 0.892))
    assert infeasible == ReplayRow(epsilon=1.0, net="[C(1024,1,1,0,1), SM(10)]", trained=False, reward=0.0)
    assert stopped.best_validation == 0.115
    assert stopped.test_accuracy is None
    assert repeated.epsilon == 0.9
    assert repeated.validation_accuracies == first.validation_accuracies


def test_quirks_are_taken(file):
    file.write_text(
        "\ufeffextra," + ",".join(reversed(replay.COLUMNS)) + "\r\n"
        'x,-1,[],"[ .5 , 1e-1,+0.25]",,0.2833,1,"[SM(10)]",1\r\n\r\n'
        'y,nan,,-1,-1,0,false,"[SM(9)]",0\r\n'
    )
    trained, failed = replay.read(file)
    assert trained == ReplayRow(
        epsilon=1.0, net="[SM(10)]", trained=True, reward=0.2833, validation_accuracies=(0.5, 0.1, 0.25)
    )
    assert failed == ReplayRow(epsilon=0.0, net="[SM(9)]", trained=False, reward=0.0)


def row(**changes):
    cells = {
        "epsilon": "1.0", "net": NET, "train_flag": "True", "reward": "0.5", "acc_best_val": "0.5",
        "acc_val_all_epochs": '"[0.5, 0.5]"', "acc_train_all_epochs": "[0.5]", "acc_test_last": "0.5",
    }  # fmt: skip
    return HEADER + "\n0," + ",".join({**cells, **changes}.values()) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it needs the columns epsilon"),
        ("a,b\n1,2\n", "line 1: the header lacks epsilon"),
        (HEADER + ",net\n", "line 1: the header repeats net"),
        (HEADER + "\n1,2\n", "line 2: 2 cells, the header has 9"),
        (row(epsilon="much"), "line 2, column epsilon: 'much' is not a number from 0 to 1"),
        (row(epsilon="1.5"), "column epsilon: '1.5'"),
        (row(reward="88.4"), "column reward: '88.4' is not a fraction from 0 to 1"),
        (row(reward="nan"), "column reward"),
        (row(reward="inf"), "column reward"),
        (row(reward="1_0"), "column reward"),
        (row(reward="٠"), "column reward"),  # a digit, but not one of ours
        (row(train_flag="maybe"), "column train_flag: 'maybe' is not True or False"),
        (row(net="import os"), "column net"),
        (row(net='"[' + "C" * 30_000 + ']"'), "column net"),
        (row(acc_val_all_epochs="0.5"), r"column acc_val_all_epochs: '0.5' is not a list"),
        (row(acc_val_all_epochs='"[0.5, __import__(1)]"'), "not a list of accuracies such as"),
        (row(acc_val_all_epochs='"[0.5, [0.5]]"'), "not a list"),
        (row(acc_val_all_epochs='"[0.5,, 0.5]"'), "not a list"),
        (row(acc_val_all_epochs='"[0.5, nan]"'), "not a list"),
        (row(acc_val_all_epochs='"[' + "0," * 200_000 + '0]"'), "at most 100,000"),
        (row(acc_test_last="-2"), "column acc_test_last: '-2' is not an accuracy from 0 to 100, or -1"),
        (
            row(acc_test_last="95"),
            "'95' is not made of fractions",
        ),
        (row(acc_test_last="1e999"), "column acc_test_last"),
        (HEADER + '\n0,"open', "not a CSV file"),
    ],
)
def test_faults_say_where_what_and_what_is_taken(file, text, message):
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CsvError, match=message) as caught:
        replay.read(file)
    assert str(file) in str(caught.value)
    assert len(str(caught.value)) < 600


def test_files_of_the_published_codebrim_code_are_read(file):
    names = (
        ",epsilon,net,train_flag,spp_size,reward,hard_best_val,hard_val_all_epochs,soft_best_val,soft_val_all_epochs,"
        "hard_best_background"
    )
    net = "[C(32,3,1,1), C(32,3,1,0), C(32,3,0,2), SM(6)]"
    file.write_text(f'{names}\n0,1.0,"{net}",True,3,0.25,30.0,"[20.0, 30.0]",80.5,"[70.0, 80.5]",90.0\n')
    assert replay.read(file) == [
        ReplayRow(
            epsilon=1.0, net=net, trained=True, reward=0.25, best_validation=0.3, validation_accuracies=(0.2, 0.3)
        )
    ]


def test_their_states_have_no_padding(file):
    names = [name for name in q_values.COLUMNS if not name.endswith("padding")]
    lines = [
        ",".join(names),
        "start,0,0,0,0,224,0,0,wrn,2,32,3,1,224,0,0,0.15",
        "wrn,2,32,3,1,224,0,0,conv,3,32,5,1,220,0,0,1",
    ]
    file.write_text("\n".join(lines))
    assert q_values.read(file) == [
        QRow(("start", 0, 0, 0, 0, 0, 224, 0, 0), ("wrn", 2, 32, 3, 1, 1, 224, 0, 0), 0.15),
        QRow(("wrn", 2, 32, 3, 1, 1, 224, 0, 0), ("conv", 3, 32, 5, 1, 0, 220, 0, 0), 1.0),
    ]


def test_an_estimated_reward_says_nothing_of_the_unit(file):
    """Of an architecture that was stopped at a rung: above its score there."""
    file.write_text(PUBLISHED + f"4,0.9,{NET},False,0.72,63.0,[63.0],[70.0],0\n")
    assert [one.validation_accuracies[0] for one in replay.read(file)[3:]] == [0.875, 0.63]


def test_the_unit_can_be_said(file):
    file.write_text(row(acc_val_all_epochs="[0.5]", acc_best_val="0.5", reward="0.005"))
    assert replay.read(file)[0].validation_accuracies == (0.5,)
    assert replay.read(file, unit="percent")[0].validation_accuracies == (0.005,)
    with pytest.raises(ValueError, match="is no unit"):
        replay.read(file, unit="dollars")


def test_files_that_are_not_csv(file, tmp_path, monkeypatch):
    file.write_bytes(HEADER.encode() + b"\n\xff\xfe")
    with pytest.raises(CsvError, match="UTF-8"):
        replay.read(file)
    with pytest.raises(DiskError, match="no such file"):
        replay.read(tmp_path / "gone.csv")
    monkeypatch.setattr(table, "MAX_BYTES", 10)
    with pytest.raises(CsvError, match="at most 10 are read"):
        replay.read(file)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: (HEADER + "\n" + text).encode())))
def test_junk_is_refused_or_read_and_nothing_else(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("junk", numbered=True) / "junk.csv"
    file.write_bytes(data)
    for read in (replay.read, q_values.read):
        try:
            read(file)
        except CsvError as error:
            assert str(file) in str(error)  # noqa: PT017


fractions = st.floats(0, 1)
curves = st.lists(fractions, min_size=1, max_size=8).map(tuple)
evaluated = st.builds(
    lambda epsilon, net, reward, validation, train, test: ReplayRow(
        epsilon=epsilon, net=f"[{net}]", trained=True, reward=reward, best_validation=max(validation),
        validation_accuracies=validation, train_accuracies=train, test_accuracy=test,
    ),
    fractions, st.text("CPSFM(),0123456789 ", max_size=30), fractions, curves, curves, fractions,
)  # fmt: skip
not_evaluated = st.builds(
    lambda epsilon: ReplayRow(epsilon=epsilon, net="[SM(10)]", trained=False, reward=0.0), fractions
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(evaluated, not_evaluated), max_size=6))
def test_what_was_written_is_read_bit_for_bit(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("trip", numbered=True) / "trip.csv"
    assert replay.write(file, rows) == len(rows)
    assert replay.read(file, unit="fraction") == rows
    replay.write(file, rows, unit="percent")
    for made, expected in zip(replay.read(file, unit="percent"), rows, strict=True):
        assert made.validation_accuracies == pytest.approx(expected.validation_accuracies, abs=1e-15)


whole = st.integers(0, 10_000)
states = st.tuples(st.sampled_from(["start", "conv", "wrn", "max_pool", "spp", "fc"]), *[whole] * 7, st.integers(0, 1))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.builds(QRow, states, states, st.floats(allow_nan=False, allow_infinity=False)),
        max_size=6,
        unique_by=lambda row: (row.state, row.action),
    )
)
def test_q_values_are_read_bit_for_bit(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("trip", numbered=True) / "trip.csv"
    q_values.write(file, rows)
    assert q_values.read(file) == rows


def test_of_an_action_listed_twice_the_first_one_counts(file):
    """The published code lists 1x1 convolutions twice, and its second copy never learns."""
    state, action = ("start", 0, 0, 0, 0, 0, 28, 0, 0), ("conv", 1, 16, 1, 1, 0, 28, 0, 0)
    q_values.write(file, [QRow(state, action, 0.5), QRow(state, action, 0.15)])
    assert q_values.read(file) == [QRow(state, action, 0.5)]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (0, "Conv!", "column start_layer_type: 'Conv!' is not a layer type"),
        (1, "1.5", "column start_layer_depth: '1.5' is not a whole number"),
        (2, "-1", "column start_filter_depth"),
        (3, "99999999999", "column start_filter_size"),
        (17, "2", "column end_terminate: '2' is not a whole number from 0 to 1"),
        (18, "nan", "column utility: 'nan' is not a number"),
    ],
)
def test_faults_of_q_values(file, column, value, message):
    cells = ["start", *"00000", "28", "0", "0", "conv", "1", "16", "1", "1", "0", "28.0", "0", "0", "0.15"]
    lines = [",".join(q_values.COLUMNS), ",".join(cells)]
    file.write_text("\n".join(lines))
    assert q_values.read(file)[0].action == ("conv", 1, 16, 1, 1, 0, 28, 0, 0)
    cells[column] = value
    file.write_text("\n".join([*lines, ",".join(cells)]))
    with pytest.raises(CsvError, match="line 3, " + message):
        q_values.read(file)


def test_a_run_exports_what_the_published_code_reads(tmp_path, file):
    with samples.create(tmp_path / "run", 3) as run:
        nothing = {"validation_accuracies": (), "train_accuracies": (), "test_accuracy": None}
        run.commit(Delta(trial=samples.trial(4, status="infeasible", reward=0.0, counted=False, **nothing)))
        original = samples.trial(2)
        repeated = {"status": "duplicate", "duplicate_of": 2, "net": original.net, "reward": original.reward}
        run.commit(Delta(trial=samples.trial(5, **repeated, **nothing)))
        assert replay.write(file, replay.rows_of(run)) == 5
        frame = pd.read_csv(file, index_col=0)  # as the published code does
        assert list(frame.columns) == list(replay.COLUMNS)
        assert frame["reward"].tolist() == [trial.reward for trial in run.trials()]
        assert frame["train_flag"].tolist() == [True, True, True, False, True]
        assert frame["acc_val_all_epochs"][4] == frame["acc_val_all_epochs"][1]
        back = replay.read(file)
        assert back[1].validation_accuracies == back[4].validation_accuracies == original.validation_accuracies
        assert back[3] == ReplayRow(epsilon=1.0, net=samples.net(4), trained=False, reward=0.0)


def test_an_export_replaces_the_old_one_or_leaves_it(file):
    q_values.write(file, [])
    before = file.read_text()

    def rows():
        yield QRow(("a",) * 9, ("b",) * 9, 0.0)
        raise OSError(28, "No space left on device")

    with pytest.raises(Exception, match="no space left"):
        q_values.write(file, rows())
    assert file.read_text() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_run_without_trials_exports_headers(tmp_path, file):
    with Run.create(tmp_path / "run", "", name="a", version="1") as run:
        replay.write(file, replay.rows_of(run))
    assert file.read_text() == HEADER + "\n"
    assert replay.read(file) == []
