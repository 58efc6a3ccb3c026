"""ENAS: which files stay, what the best derived architectures are, what clients see."""

import pytest
from msgspec.structs import replace

from nasd.errors import NasdError
from nasd.outcome import Failed, Judged
from nasd.protocol.enas import ChoicesParams, EpochsParams
from nasd.strategies.base import Training
from nasd.strategies.enas import views
from tests.helpers.fake_enas import searched
from tests.strategies.enas import NET, make, trained

OTHER = "resnet18[32 1 1 1 1 1 1 1]"
WIDE = "resnet18[32 32 32 32 32 32 32 32]"


def observe(strategy, *outcomes):
    """All of it, and what each observation dropped."""
    for outcome in outcomes:
        (proposal,) = strategy.propose(3)
        yield proposal, strategy.observe(proposal, outcome)


def names(*numbers):
    return tuple(f"supernet-{number:06}.safetensors" for number in numbers)


def run(strategy, *outcomes):
    return list(observe(strategy, *outcomes))


def test_each_epoch_begins_where_the_last_one_ended():
    first, second, third = run(make(), trained(0.2), Failed(reason="It does not fit."), trained(0.3))
    assert (first[0].net, dict(first[0].facts)) == ("epoch 1", {"epoch": 1, "reads": None, "writes": names(1)[0]})
    assert first[1].learned.files == names(1)
    assert (second[0].net, second[1].learned.files, second[1].net) == ("epoch 2", (), NET)
    assert (third[0].net, third[0].facts["reads"], third[0].facts["writes"]) == ("epoch 2, try 2", *names(1, 3))


def test_the_newest_files_stay_and_the_best_one_and_every_fourth():
    rewards = (0.1, 0.9, 0.2, 0.3, 0.4, 0.5, 0.95)
    dropped = [seen.dropped_files for _, seen in run(make(keep=2, keep_every=4), *map(trained, rewards))]
    assert dropped == [(), (), names(1), (), names(3), (), names(2, 5)]


def test_a_trial_is_named_by_the_architecture_that_its_epoch_derived():
    ((_, seen),) = run(make(), trained(0.4, OTHER))
    assert seen.net == OTHER
    assert (seen.facts["latency"], seen.facts["entropy"]) == (pytest.approx(3 + 7 * 0.8203125), 0.6)


def test_the_best_derived_architectures_are_distinct():
    strategy = make(derive=2)
    run(strategy, trained(0.4, OTHER), trained(0.6, OTHER), trained(0.5, NET), trained(0.3, WIDE))
    assert [(best.net, best.number, best.reward) for best in strategy.derived] == [(OTHER, 2, 0.6), (NET, 3, 0.5)]


def test_at_the_end_the_best_are_to_be_trained_with_the_accuracies_of_the_last_weights():
    strategy = make(derive=2, epochs=3)
    last = trained(0.3, WIDE)
    judged = (Judged(OTHER, 0.35), Judged(NET, 0.45), Judged(WIDE, 0.3))
    run(strategy, trained(0.6, OTHER), trained(0.5, NET), replace(last, supernet=replace(last.supernet, judged=judged)))
    assert strategy.trainings() == (Training(OTHER, 1, "derived", 0.35), Training(NET, 2, "derived", 0.45))


def test_where_the_last_epoch_did_not_judge_them_each_has_the_accuracy_of_its_own():
    strategy = make(derive=2, epochs=2)
    run(strategy, trained(0.6, OTHER), trained(0.5, NET))
    assert [one.reward for one in strategy.trainings()] == [0.6, 0.5]
    assert make(derive=0).trainings() == ()


def test_an_outcome_that_is_of_no_epoch_or_of_another_space_is_refused():
    strategy = make()
    (proposal,) = strategy.propose(1)
    for wrong, what in ((trained(0.5, "resnet34[1]"), "none of this space"),):
        with pytest.raises(ValueError, match=what):
            strategy.observe(proposal, wrong)
    assert strategy.observe(proposal, trained(0.5)).counted


def test_clients_see_epochs_and_what_changed():
    strategy = make(keep=1)
    run(strategy, trained(0.4, WIDE), Failed(reason="No."), trained(0.6, NET), trained(0.5, OTHER))
    page = views.epochs(strategy, strategy.space, EpochsParams(limit=2))
    assert (page.total, page.of, [one.trial for one in page.epochs]) == (3, 12, [4, 3])
    newest, before = page.epochs
    assert (newest.epoch, newest.changed, newest.in_front, newest.kept) == (3, 1, False, True)
    assert (before.epoch, before.changed, before.in_front, before.kept) == (2, 8, True, True)
    (first,) = views.epochs(strategy, strategy.space, EpochsParams(offset=2)).epochs
    assert (first.in_front, first.kept) == (False, False)


def test_clients_see_the_choices_of_any_epoch():
    strategy = searched(3)
    newest = views.choices(strategy, strategy.space, ChoicesParams())
    assert newest == views.choices(strategy, strategy.space, ChoicesParams(trial=3))
    assert newest != views.choices(strategy, strategy.space, ChoicesParams(trial=1))
    assert [unit.label for unit in newest.units][:3] == ["block 1.1", "block 1.2", "block 2.1"]
    assert all(sum(unit.probabilities) == pytest.approx(1) for unit in newest.units)
    with pytest.raises(NasdError, match="trial 9"):
        views.choices(strategy, strategy.space, ChoicesParams(trial=9))
    assert views.choices(make(), strategy.space, ChoicesParams()).units == ()
