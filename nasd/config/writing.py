"""Writing a config, and giving it another name."""

import json
from typing import Any

import yaml

from nasd.config.reading import parse
from nasd.config.whole import Config


class _Dumper(yaml.SafeDumper):
    """Writes each key on a line of its own, and a list of plain values on one line."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = False) -> yaml.MappingNode:
        return super().represent_mapping(tag, mapping, flow_style=False)


def dump(config: Config) -> str:
    """The config as YAML that `parse` reads back to an equal one."""
    return yaml.dump(
        config.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120
    )


def changed(config: Config) -> tuple[str, ...]:
    """The keys, such as `search.trials`, whose values are not the defaults of the config's own kinds."""
    kinds = {"search": "strategy", "space": "kind", "evaluation": "kind"}
    now = config.model_dump(mode="json")
    least = {name: {kind: now[name][kind]} for name, kind in kinds.items() if kind in now.get(name, {})}
    try:
        usual: dict[str, Any] = type(config).model_validate({"name": config.name, **least}).model_dump(mode="json")
    except ValueError:  # kinds that do not go together without more settings
        usual = {}
    found = []
    for name, value in now.items():
        if not isinstance(value, dict):
            found += [name] if name != "name" and value != usual.get(name) else []
            continue
        of = usual.get(name) or {}
        found += [f"{name}.{key}" for key, inner in value.items() if inner != of.get(key, None)]
    return tuple(found)


def rename(config: Config, name: str) -> Config:
    """The same config under another name. Raises ConfigError if it cannot be a run's name."""
    return parse(dump(config), (name_override(name),))


def name_override(name: str) -> str:
    """The override that names a run: text, also where YAML would read a number."""
    return f"name={json.dumps(name)}"
