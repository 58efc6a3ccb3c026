"""Reading a config: a YAML file or text, what is set over it, and every fault at once."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nasd.config import yaml_text
from nasd.config.faults import describe
from nasd.config.older import SECTIONS, modern
from nasd.config.whole import Config
from nasd.errors import ConfigError


def load(path: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Read a YAML file.

    Args:
        path: The file.
        overrides: `section.key=value` each, the value written as YAML; applied over the file in order.

    Raises:
        ConfigError: The file cannot be read, is not YAML, or holds unknown keys or impossible values; the message
            lists every fault with its key, what was given and what is taken.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the config {path}: {reason}") from error
    return parse(text, overrides, source=str(path))


def parse(text: str, overrides: tuple[str, ...] = (), source: str = "config") -> Config:
    """Like `load`, from a string; `source` names it in errors."""
    raw = yaml_text.read(text, source)
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        raise ConfigError(f"{source} must be a mapping of sections such as 'data:', not {type(raw).__name__}")
    if overrides:
        raw = _overridden(raw, overrides, source)
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        faults = "\n".join(f"  {line}" for line in describe(error))
        raise ConfigError(f"{source} has {error.error_count()} fault(s):\n{faults}") from error


def _overridden(raw: dict[str, Any], overrides: tuple[str, ...], source: str) -> dict[str, Any]:
    try:
        raw = modern(raw)
    except ValueError as error:
        raise ConfigError(f"{source} has 1 fault(s):\n  config: {error}") from error
    for override in overrides:
        _apply(raw, override)
        raw = modern(raw)
    return raw


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set takes section.key=value, such as training.epochs=5, not {override!r}")
    parts[0] = SECTIONS.get(parts[0], parts[0])
    node = raw
    for part in parts[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override}: {part!r} is not a section")
        node = child
    node[parts[-1]] = yaml_text.read(value, f"the value of --set {override}")
