"""Forms in which older versions wrote a config, read as what they mean now."""

from typing import Any

SECTIONS = {"checkpoint": "snapshots"}  # older name: name
_EVALUATIONS = {"full": "training"}


def modern(raw: Any) -> Any:
    """A config as it is written now, from a mapping of any version; what is no config is returned as it is.

    Raises:
        ValueError: A section is given under its older and its present name.
    """
    if not isinstance(raw, dict):
        return raw
    for older, name in SECTIONS.items():
        if older in raw and name in raw:
            raise ValueError(f"{older} is the older name of {name}, and both are given: keep {name}")
    raw = {SECTIONS.get(key, key) if isinstance(key, str) else key: value for key, value in raw.items()}
    kind = raw.get("evaluation")
    if isinstance(kind, str):  # the short form; before there were sections of several kinds, the only form
        raw["evaluation"] = {"kind": _EVALUATIONS.get(kind, kind)}
    return raw
