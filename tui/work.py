"""Start slow work of a widget."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ParamSpec

from textual.dom import DOMNode
from textual.worker import Worker

P = ParamSpec("P")


def work(
    node: DOMNode, group: str, todo: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
) -> Worker[None]:
    """Run `todo(*args)` beside the event loop's other work; it replaces what `node` runs under the same `group`.

    The coroutine is made by the worker: one that is replaced before it started would never be awaited.
    """
    return node.run_worker(partial(todo, *args, **kwargs), group=group, exclusive=True)
