"""Data sets of other packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nasd.config import DataConfig
from nasd.data import describe, fingerprint, load
from nasd.errors import NasdError

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "nasd-stripes"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The example's package, as an installer would leave it."""

    def install(source, value="nasd_stripes:Stripes"):
        folder = tmp_path / "site"
        (folder / "nasd_stripes-1.0.dist-info").mkdir(parents=True)
        (folder / "nasd_stripes-1.0.dist-info" / "METADATA").write_text("Name: nasd-stripes\nVersion: 1.0\n")
        (folder / "nasd_stripes-1.0.dist-info" / "entry_points.txt").write_text(f"[nasd.datasets]\nstripes = {value}\n")
        (folder / "nasd_stripes.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "nasd_stripes", raising=False)
        return folder

    return install


def test_the_example_of_a_data_set_of_ones_own(installed, tmp_path):
    """In a real search, whose worker finds the package too."""
    assert 'stripes = "nasd_stripes:Stripes"' in (EXAMPLE / "pyproject.toml").read_text()
    site = installed((EXAMPLE / "nasd_stripes.py").read_text())
    data = load(config := DataConfig(name="stripes"), 1)
    assert describe(config) == (12, 1, 3)
    assert (len(data.test), data.classes) == (60, ("down", "across", "slanted"))
    assert fingerprint(config).count == 2
    environment = os.environ | {"NASD_HOME": str(tmp_path), "PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-m", "nasd", "run", EXAMPLE / "stripes.yaml", "--set", "search.epsilon_schedule=[[1.0, 1]]"],
        env=environment, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Finished after" in done.stdout


def test_a_data_set_that_nobody_has():
    with pytest.raises(ValueError, match=r"no data set 'stripes'; there are digits, mnist.*image_csv "):
        DataConfig(name="stripes")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("astype(np.uint8)[:, None]", "astype(np.float32)[:, None]"), "no array .* of uint8"),
        (("labels=labels)", "labels=labels + 1)"), "labels that are not 0 to 2"),
        (("return Raw(", "raise KeyError('x')\n        return Raw("), "failed in `read`: KeyError"),
        (
            ("import numpy as np", "import numpy as np\nraise OSError('no such server')"),
            "cannot be used: OSError: no such",
        ),
    ],
)
def test_mistakes_in_it_are_sentences(installed, change, said):
    source = (EXAMPLE / "nasd_stripes.py").read_text()
    assert change[0] in source
    installed(source.replace(*change))
    with pytest.raises(NasdError, match=f"the data set stripes .*{said}") as error:
        load(DataConfig(name="stripes"), 1)
    assert "\n" not in str(error.value)
