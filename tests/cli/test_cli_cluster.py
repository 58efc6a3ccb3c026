"""Commands on a config whose executor is Ray, where Ray is not installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL = "executor.kind is ray, which is not installed: pip install 'nasd[ray]'"


@pytest.mark.parametrize("command", ["run", "start", "doctor"])
def test_a_sentence_says_what_to_install(home, tmp_path, command):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ray'] = None\n")  # of the daemon too
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "nasd.cli", command, ROOT / "examples" / "cluster" / "search.yaml"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert said.splitlines()[-1].endswith(INSTALL)
    assert "Traceback" not in said
