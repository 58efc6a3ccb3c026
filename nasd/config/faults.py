"""What is wrong with a config, in words: the key, what is given, what is taken."""

import reprlib
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, Tag, ValidationError

from nasd.config.whole import Config

Kinds = dict[str, type[BaseModel]]


@dataclass
class _Place:
    """Where a fault is: the keys that lead there, and the section that the last of them belongs to."""

    keys: list[str] = field(default_factory=list)
    section: type[BaseModel] | None = None
    kinds: Kinds = field(default_factory=dict)  # of that section, if it comes in several
    kind: str = ""


def describe(error: ValidationError) -> list[str]:
    """One line for every fault."""
    return [_fault(each) for each in error.errors()]


def _fault(error: Any) -> str:
    place = _place(error["loc"])
    where = ".".join(place.keys) or "config"
    if error["type"] == "extra_forbidden":
        return f"{where}: {_unknown_key(place)}"
    if error["type"] == "union_tag_invalid":
        key, known = error["ctx"]["discriminator"].removesuffix("()"), error["ctx"]["expected_tags"].replace("'", "")
        return f"{where}.{key}: there is no {key} {_clip(error['ctx']['tag'])!r}; known here are {known}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] in {"model_type", "model_attributes_type"}:
        message = "a section is wanted: keys with their values, or nothing at all"
    given = error["input"]
    shown = "" if isinstance(given, dict) else f" (got {_clip(reprlib.repr(given))})"
    return f"{where}: {message[:1].lower()}{message[1:]}{shown}"


def _place(location: tuple[Any, ...]) -> _Place:
    place = _Place()
    section: type[BaseModel] | None = Config
    kinds: Kinds = {}
    kind, waiting = "", False
    for part in location:
        if waiting:  # pydantic names the kind of a section that comes in several; no key of the config does
            kind, section, waiting = part, kinds.get(part), False
            continue
        place = _Place([*place.keys, str(part)], section, kinds, kind)
        known = section.model_fields.get(part) if section is not None and isinstance(part, str) else None
        sections = [] if known is None else _sections(known.annotation)
        kinds = {tag: model for tag, model in sections if tag}
        waiting, kind = bool(kinds), ""
        section = sections[0][1] if sections and not kinds else None
    return place


def _sections(annotation: Any) -> list[tuple[str, type[BaseModel]]]:
    """The sections that an annotation allows, each with its tag, "" for the only one."""
    if isinstance(annotation, type):
        return [("", annotation)] if issubclass(annotation, BaseModel) else []
    found = []
    tag = next((part.tag for part in get_args(annotation) if isinstance(part, Tag)), "")
    for part in get_args(annotation):
        found += [(tag or name, model) for name, model in _sections(part)]
    return found


def _unknown_key(place: _Place) -> str:
    others = sorted(tag for tag, model in place.kinds.items() if place.keys[-1] in model.model_fields)
    if others:
        what = f"{' and '.join(others)} {'takes' if len(others) == 1 else 'take'} it, {place.kind} does not"
    else:
        what = "unknown key"
    if place.section is None:
        return what
    return f"{what}; known here are {', '.join(sorted(place.section.model_fields))}"


def _clip(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
