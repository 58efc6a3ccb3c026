"""The table of handlers, checked before anybody can call it."""

import pytest

from nasd import protocol
from nasd.daemon.methods import Methods
from nasd.errors import NasdError
from store import StoreError


def handlers(*strategies):
    """For all methods of every run and of `strategies`."""
    names = [name for name in protocol.OF_EVERY_RUN if name != "hello"]
    names += [name for strategy in strategies for name in protocol.OF_STRATEGIES[strategy]]
    return {name: lambda _, name=name: protocol.Done(message=name) for name in names}


def test_the_protocols_names_tell_whose_they_are():
    for strategy, methods in protocol.OF_STRATEGIES.items():
        assert all(name.startswith(f"{strategy}.") for name in methods)
        assert all(protocol.strategy_of(name) == strategy for name in methods)
    assert len(protocol.METHODS) == len(protocol.OF_EVERY_RUN) + sum(map(len, protocol.OF_STRATEGIES.values()))


def test_a_missing_handler_is_an_error_at_the_start():
    table = handlers("evolution")
    del table["jobs"], table["evolution.population"]
    with pytest.raises(ValueError, match=r"no handler for evolution\.population, jobs"):
        Methods("evolution", table)


@pytest.mark.parametrize("name", ["hello", "frobnicate", "qlearning.page"])
def test_a_handler_that_nobody_can_call_is_an_error_at_the_start(name):
    with pytest.raises(ValueError, match=f"strategy evolution no method {name}"):
        Methods("evolution", handlers("evolution") | {name: print})


@pytest.mark.parametrize("strategy", ["random", "one of tomorrow's"])
def test_a_strategy_may_have_no_methods_of_its_own(strategy):
    assert len(Methods(strategy, handlers()).names) == len(protocol.OF_EVERY_RUN) - 1


async def test_answers_at_once_or_later():
    async def later(params):
        return protocol.Done(message="later")

    methods = Methods("random", handlers() | {"export": later})
    assert (await methods.call("pause", protocol.Empty())).message == "pause"
    assert (await methods.call("export", protocol.ExportParams())).message == "later"


async def test_another_strategys_method_is_refused_in_a_sentence():
    with pytest.raises(NasdError, match=r"qlearning\.page is for runs of strategy qlearning: this run's .* is random"):
        await Methods("random", handlers()).call("qlearning.page", protocol.Empty())


async def test_what_the_disk_refuses_is_the_clients_to_know():
    def full(params):
        raise StoreError("the disk is full")

    with pytest.raises(NasdError, match="the disk is full"):
        await Methods("random", handlers() | {"checkpoint": full}).call("checkpoint", protocol.Empty())
