"""YAML text into plain values. Nothing in it can run code, and nothing is taken for what nobody means."""

from typing import Any

import yaml

from nasd.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """SafeLoader that also refuses a key given twice, which YAML would silently let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                    )
                seen.add(key_node.value)
                if key_node.tag == "tag:yaml.org,2002:bool":  # `on:`, which YAML 1.1 takes for a switch
                    key_node.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)

    def whole_number(self, node: yaml.ScalarNode) -> int | str:
        """A number, or the text of what YAML 1.1 alone takes for one."""
        text: str = node.value
        digits = text.lstrip("+-").replace("_", "")
        if ":" in text or (len(digits) > 1 and digits.isdigit() and digits[0] == "0"):
            return text  # 1:30 and 010, which YAML 1.1 takes for 90 and 8: the key says what it wants
        value: int = super().construct_yaml_int(node)
        if value.bit_length() > 64:  # Python itself cannot even show one of some thousand digits
            raise yaml.constructor.ConstructorError(None, None, "a number of more than 64 bits", node.start_mark)
        return value

    def real_number(self, node: yaml.ScalarNode) -> float | str:
        """As `whole_number`."""
        if ":" in node.value:
            return str(node.value)  # 1:30.5
        value: float = super().construct_yaml_float(node)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.real_number)


def read(text: str, source: str) -> Any:
    """The value of a YAML text; `source` names it in errors.

    Raises:
        ConfigError: It is not YAML, or holds a key twice.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except Exception as error:  # besides its own errors, PyYAML's constructors raise whatever a wrong tag leads to
        raise ConfigError(f"{source} is not valid YAML: {' '.join(str(error).split())}") from error
