"""Old data sets that were saved with Python's pickle, read without running anything in them.

A pickle is a program for a small stack machine, which may call any function by name. This machine has dicts, lists,
tuples, strings, bytes, numbers and numpy's plain arrays; the four functions that make these are done here, by name, and
every other name is refused. (The instructions: the standard library's `pickletools`, which only lists them.)
"""

import math
import pickletools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

MAX_BYTES = 1 << 30  # of a file
_MARK = object()
_KINDS = re.compile(r"[iuf][1248]|b1")


class UnpickleError(ValueError):
    """It is no pickle of plain data; the message says what is in it instead."""


class _Function:
    """A function that a pickle may name."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


class _Array:
    values: Any = None

    def build(self, state: Any) -> None:
        _version, shape, dtype, fortran, content = state
        if not isinstance(dtype, _Dtype):
            raise UnpickleError("an array without a dtype")
        content = content.encode("latin-1") if isinstance(content, str) else content  # Python 2 had no bytes
        sizes = tuple(int(size) for size in shape)
        if min(sizes, default=0) < 0 or len(content) != math.prod(sizes) * dtype.value.itemsize:
            raise UnpickleError(f"an array of shape {sizes} in {len(content)} bytes")
        self.values = np.frombuffer(content, dtype.value).reshape(sizes, order="F" if fortran else "C")


class _Dtype:
    def __init__(self, text: Any, *_how: Any) -> None:
        if not isinstance(text, str) or not _KINDS.fullmatch(text):
            raise UnpickleError(f"arrays of the dtype {str(text)[:40]!r}")
        self.value: np.dtype[Any] = np.dtype(text)

    def build(self, state: Any) -> None:
        order = state[1]
        if order in ("<", ">"):
            self.value = self.value.newbyteorder(order)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnpickleError("bytes in another encoding than latin-1")
    return text.encode("latin-1")


_NDARRAY = object()
_KNOWN: dict[str, Any] = {
    "numpy ndarray": _NDARRAY,
    "numpy dtype": _Function(_Dtype),
    "numpy.core.multiarray _reconstruct": _Function(lambda *_how: _Array()),
    "numpy._core.multiarray _reconstruct": _Function(lambda *_how: _Array()),
    "_codecs encode": _Function(_encode),
}


def loads(content: bytes) -> Any:
    """What a pickle of plain data holds; strings of Python 2 as text, arrays as numpy's.

    Raises:
        UnpickleError: It holds something else, or is no pickle; nothing of it was run.
    """
    if len(content) > MAX_BYTES:
        raise UnpickleError(f"{len(content):,} bytes, at most {MAX_BYTES:,} are read")
    machine = _Machine()
    try:
        for opcode, argument, _position in pickletools.genops(content):
            machine.do(opcode.name, argument)
        return _plain(machine.stack.pop())
    except UnpickleError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise UnpickleError(f"no pickle of plain data ({str(error)[:200]})") from error


class _Machine:
    """The stack, and what was remembered of it by number."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case (
                "BININT" | "BININT1" | "BININT2" | "INT" | "LONG" | "LONG1" | "LONG4" | "BINFLOAT" | "FLOAT"
                | "STRING" | "BINSTRING" | "SHORT_BINSTRING" | "UNICODE" | "BINUNICODE" | "SHORT_BINUNICODE"
                | "BINUNICODE8" | "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8"
            ):  # fmt: skip
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "MARK":
                stack.append(_MARK)
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
            case "DICT":
                stack.append(self._pairs(self._to_mark()))
            case "LIST":
                stack.append(self._to_mark())
            case "TUPLE":
                stack.append(tuple(self._to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND" | "APPENDS":
                items = [stack.pop()] if name == "APPEND" else self._to_mark()
                self._top(list).extend(items)
            case "SETITEM" | "SETITEMS":
                items = [*stack[-2:]] if name == "SETITEM" else self._to_mark()
                if name == "SETITEM":
                    del stack[-2:]
                self._top(dict).update(self._pairs(items))
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(self._memo[argument])
            case "GLOBAL":
                stack.append(_named(argument))
            case "STACK_GLOBAL":
                called, module = stack.pop(), stack.pop()
                stack.append(_named(f"{module} {called}"))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                if not isinstance(function, _Function) or not isinstance(arguments, tuple):
                    raise UnpickleError("a call of something that is no function")
                stack.append(function.call(*arguments))
            case "BUILD":
                state, target = stack.pop(), stack[-1]
                if not isinstance(target, _Array | _Dtype):
                    raise UnpickleError(f"the state of a {type(target).__name__}")
                target.build(state)
            case _:
                raise UnpickleError(f"the instruction {name}")

    def _to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:  # an IndexError where there is none
            at -= 1
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise UnpickleError(f"items for a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    @staticmethod
    def _pairs(items: list[Any]) -> dict[Any, Any]:
        if not all(isinstance(key, str | bytes | int) for key in items[::2]):  # hashing others may take for ever
            raise UnpickleError("keys that are neither text nor numbers")
        return dict(zip(items[::2], items[1::2], strict=True))


def _named(name: str) -> Any:
    if name not in _KNOWN:
        raise UnpickleError(f"{name.replace(' ', '.')[:100]}, which no images need")
    return _KNOWN[name]


def _plain(value: Any) -> Any:
    """A dict's arrays as numpy's; CIFAR has none deeper."""
    if not isinstance(value, dict):
        raise UnpickleError(f"a {type(value).__name__}, not a dict")
    return {
        key.decode("latin-1") if isinstance(key, bytes) else key: item.values if isinstance(item, _Array) else item
        for key, item in value.items()
    }
