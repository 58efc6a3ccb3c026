"""What the documents say is what the code does."""

import re
from pathlib import Path

import pytest

from nasd import config as configuration
from nasd.cli import cli
from nasd.config import Config

ROOT = Path(__file__).parent.parent
PRESETS = sorted((ROOT / "configs").glob("*.yaml"))


def _yaml_blocks(path: Path) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_documented_configuration_is_the_default_and_complete() -> None:
    block, *others = _yaml_blocks(ROOT / "docs" / "configuration.md")
    assert configuration.parse(block) == Config()
    own = {"patch_size", "channels", "num_classes"}  # the data set's, which a person need not give
    for section, model in Config().model_dump().items():
        for key in model if isinstance(model, dict) else [section]:
            assert key in own or re.search(rf"^ *{key}:", block, flags=re.MULTILINE), key
    for other in others:
        search = configuration.parse(other).search
        assert search == type(search)()
        assert set(type(search).model_fields) - {"order", "lookahead", "classes"} <= set(re.findall(r"\w+(?=:)", other))


def test_the_readme_example_is_a_valid_config() -> None:
    (block,) = _yaml_blocks(ROOT / "README.md")
    configuration.parse(block)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_preset_is_valid(path: Path) -> None:
    assert configuration.load(path).name == path.stem


def test_the_readme_names_only_commands_that_exist() -> None:
    known = set(cli.list_commands(None))  # type: ignore[arg-type]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text):
        for command in re.findall(r"\bnasd ([a-z]+)", code):
            assert command in known, code


def test_every_link_leads_to_a_file() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
