"""A search that the published CODEBRIM code began goes on here."""

import csv

import pytest

from nasd.config import Config, LayersConfig, QLearningConfig
from nasd.outcome import Evaluated
from nasd.runs.opening import search_of
from nasd.runs.published.taking_over import create_from_csv
from nasd.runs.tables import export
from nasd.runs.verify import replay
from nasd.spaces.layers import SearchSpace
from nasd.strategies.qlearning.strategy import QLearning
from store import Run

SPACE = LayersConfig(
    form="codebrim", patch_size=48, max_fc=1, conv_sizes=(3, 5, 7), conv_features=(8,), num_classes=6, channels=3
)
CONFIG = Config(
    name="taken-over", space=SPACE, search=QLearningConfig(epsilon_schedule=((1.0, 12), (0.5, 8)), replay_number=40)
)


def reward_of(net):
    return 0.2 + len(net) % 7 / 10


@pytest.fixture
def published(tmp_path):
    """Twelve rows and their Q-values, as that code writes them."""
    strategy, rows = QLearning(CONFIG, SearchSpace(SPACE)), []
    for number in range(12):
        (proposal,) = strategy.propose(1)
        net = proposal.net
        reward = reward_of(net)
        outcome = Evaluated(
            reward=reward, validation_accuracies=(reward,), train_accuracies=(), test_accuracy=None,
            early_stopped=False, embedding_dim=1, micro_batch=16,
        )  # fmt: skip
        strategy.observe(proposal, outcome if proposal.kind == "evaluate" else None)
        rows.append([number, 1.0, net, True, 3, reward, 100 * reward, f"[{100 * reward}]", 90.0, "[90.0]", 95.0])
    names = ["", "epsilon", "net", "train_flag", "spp_size", "reward", "hard_best_val", "hard_val_all_epochs",
             "soft_best_val", "soft_val_all_epochs", "hard_best_background"]  # fmt: skip
    with (tmp_path / "replay_buffer_12.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return tmp_path / "replay_buffer_12.csv"


def test_rows_and_q_values_are_taken_over(published, tmp_path):
    assert create_from_csv(CONFIG, tmp_path / "first", published, None, None) == 12
    with Run.open(tmp_path / "first") as first:
        export(first, "q_values", tmp_path / "q.csv")
        assert [trial.reward for trial in first.trials()] == [reward_of(trial.net) for trial in first.trials()]
        assert all(trial.validation_accuracies == pytest.approx((trial.reward,)) for trial in first.trials()
                   if trial.status == "evaluated")  # fmt: skip
        values = list(search_of(first).strategy.written())
    with (tmp_path / "q.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert any(row["end_layer_type"] == "spp" for row in table)
    assert any(row["end_layer_type"] == "wrn" for row in table)
    unpadded = [name for name in table[0] if not name.endswith("padding")]
    with (tmp_path / "q_values_12.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, unpadded, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(table)
    assert create_from_csv(CONFIG, tmp_path / "second", published, tmp_path / "q_values_12.csv", None) == 12
    with Run.open(tmp_path / "second") as second:
        assert list(search_of(second).strategy.written()) == values
        assert sum(1 for _ in replay(second)) == 12
