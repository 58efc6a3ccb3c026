"""Sections that come in several kinds: which class reads them, by one of their keys."""

from collections.abc import Callable
from typing import Any


def by(key: str, default: str) -> Callable[[Any], str]:
    """A discriminator for pydantic's unions: the tag is what stands under `key`, `default` where nothing does."""

    def tag(value: Any) -> str:
        found = value.get(key, default) if isinstance(value, dict) else getattr(value, key, default)
        return found if isinstance(found, str) else repr(found)

    tag.__name__ = key
    return tag
