"""Writing a config, and giving it another name."""

import json

import yaml

from nasd.config.reading import parse
from nasd.config.whole import Config


def dump(config: Config) -> str:
    """The config as YAML that `parse` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)


def rename(config: Config, name: str) -> Config:
    """The same config under another name. Raises ConfigError if it cannot be a run's name."""
    return parse(dump(config), (name_override(name),))


def name_override(name: str) -> str:
    """The override that names a run: text, also where YAML would read a number."""
    return f"name={json.dumps(name)}"
