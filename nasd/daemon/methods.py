"""What a daemon answers: a table of handlers, checked against the protocol before anybody can call it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nasd import protocol
from nasd.errors import NasdError
from nasd.protocol import Message, Params
from store import StoreError

Handler = Callable[[Any], Message | Awaitable[Message]]
"""Takes a method's checked parameters. A NasdError or a StoreError that it raises is the client's answer."""


class Methods:
    """The handlers of a run: of every method that all runs have but `hello`, and of its strategy's own."""

    def __init__(self, strategy: str, handlers: Mapping[str, Handler]) -> None:
        """Check the table.

        Args:
            strategy: The run's, as its config names it.
            handlers: A handler for each method's name.

        Raises:
            ValueError: A method has no handler, or a handler no method; the message names them all.
        """
        wanted = protocol.OF_EVERY_RUN.keys() - {"hello"} | protocol.OF_STRATEGIES.get(strategy, {}).keys()
        if missing := sorted(wanted - handlers.keys()):
            raise ValueError(f"a daemon of strategy {strategy} has no handler for {', '.join(missing)}")
        if unknown := sorted(handlers.keys() - wanted):
            raise ValueError(f"the protocol gives a run of strategy {strategy} no method {', '.join(unknown)}")
        self.strategy = strategy
        self._handlers = dict(handlers)

    @property
    def names(self) -> tuple[str, ...]:
        """Every method that may be called, in order."""
        return tuple(sorted(self._handlers))

    async def call(self, method: str, params: Params) -> Message:
        """Answer a client.

        Args:
            method: A method of the protocol.
            params: Of the type that the protocol gives it.

        Raises:
            NasdError: It is another strategy's method, or the handler refuses.
        """
        if (handler := self._handlers.get(method)) is None:
            owner = protocol.strategy_of(method)
            raise NasdError(f"{method} is for runs of strategy {owner}: this run's strategy is {self.strategy}")
        try:
            answer = handler(params)
            return await answer if isinstance(answer, Awaitable) else answer
        except StoreError as error:  # a full disk is the client's to know, not a fault of the daemon
            raise NasdError(str(error)) from error
