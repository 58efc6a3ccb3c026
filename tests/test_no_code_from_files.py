"""Nothing that is read can run code: the means to do so do not occur in the source. Read as Python, not as text."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("nasd", "store", "tui") for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "runpy"}
BUILTINS = {"eval", "exec", "compile", "__import__", "input"}
# Where `import_module` and `yaml.load` are called, somebody has looked: with names of our own, with a SafeLoader.
LOOKED_AT = {
    ("nasd/__init__.py", "import_module"),
    ("nasd/cli/__init__.py", "import_module"),
    ("nasd/config/yaml_text.py", "yaml.load"),
    ("nasd/rooms.py", "import_module"),
    ("tui/strategies/table.py", "import_module"),
}


def faults(source: str, name: str = "somewhere.py") -> list[str]:
    return [f"{name}:{line} {what}" for line, what in _faults(ast.parse(source), name)]


def _faults(tree: ast.AST, name: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, f"imports {a.name}") for a in names if a.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                if module.split(".")[0] in MODULES:
                    yield node.lineno, f"imports {module}"
                if module == "torch":
                    yield from ((node.lineno, f"imports torch.{a.name}") for a in names if a.name in ("load", "hub"))
            case ast.Call():
                yield from ((node.lineno, what) for what in _call(node, name))


def _call(node: ast.Call, name: str) -> Iterator[str]:
    called = ast.unparse(node.func)
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    last = called.rpartition(".")[2]
    if called in BUILTINS:
        yield f"calls {called}"
    if called in ("torch.load", "torch.jit.load", "os.system", "os.popen") or called.startswith("torch.hub."):
        yield f"calls {called}"
    if last == "import_module" and (name, "import_module") not in LOOKED_AT:
        yield f"calls {called}"
    if called.startswith("yaml.") and last in ("load", "load_all", "unsafe_load", "full_load", "unsafe_load_all"):
        safe = last == "load" and (name, "yaml.load") in LOOKED_AT and ast.unparse(keywords["Loader"]) == "_Loader"
        if not safe:
            yield f"calls {called}"
    if "shell" in keywords and ast.unparse(keywords["shell"]) != "False":
        yield f"calls {called} with a shell"
    if last == "create_subprocess_shell" or called == "subprocess.getoutput":
        yield f"calls {called}"
    if "allow_pickle" in keywords and ast.unparse(keywords["allow_pickle"]) != "False":
        yield f"calls {called} with pickle"
    if called == "np.load" and "allow_pickle" not in keywords:
        yield f"calls {called} without saying allow_pickle=False"
    if last in ("read_pickle", "to_pickle"):
        yield f"calls {called}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_source_has_no_means_to_run_what_it_reads(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))) == []


def test_the_loader_of_configs_is_a_safe_one() -> None:
    import yaml

    from nasd.config import yaml_text

    assert issubclass(yaml_text._Loader, yaml.SafeLoader)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "import pickle as harmless", "from pickle import loads", "import joblib.numpy_pickle",
        "eval('1')", "exec('1')", "__import__('os')", "import importlib\nimportlib.import_module(name)",
        "torch.load(file)", "from torch import load", "torch.hub.load(1)", "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)", "yaml.full_load(text)", "subprocess.run(line, shell=True)", "os.system('ls')",
        "asyncio.create_subprocess_shell('ls')", "np.load(file, allow_pickle=True)", "np.load(file)",
        "pd.read_pickle(file)",
    ],
)  # fmt: skip
def test_the_test_sees_them(source: str) -> None:
    assert faults(source)


def test_the_test_lets_the_rest_be() -> None:
    assert faults("re.compile('x')\nyaml.safe_load(t)\nnp.load(f, allow_pickle=False)\nmodel.eval()") == []
