"""The wheel without extras, in a virtual environment of its own: what a laptop needs to watch a search.

    python -m tests.packaging.light_client

It builds the wheel, installs it with pip, and uses it on a run whose daemon works. Prints its size and how long
pip took.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.nasd_harness import Process, make, short_folder

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "numpy", "pandas", "zarr", "pydantic", "numba", "psutil", "safetensors")
LIMIT_MB = 60
TRIALS = 6


def install(folder: Path) -> Path:
    """Build the wheel and install it; the folder of the environment's commands."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    bare = folder / "bare"
    subprocess.run([sys.executable, "-m", "venv", str(bare)], check=True)
    started = time.monotonic()
    pip = [bare / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    subprocess.run(pip, check=True, env=plain())
    seconds = time.monotonic() - started
    (site,) = bare.glob("lib/python*/site-packages")
    own = [
        path for path in site.rglob("*") if path.is_file() and path.relative_to(site).parts[0].split("-")[0] != "pip"
    ]
    megabytes = sum(path.stat().st_size for path in own) / 1e6
    assert megabytes < LIMIT_MB, f"a client takes {megabytes:.0f} MB"
    print(f"a client takes {megabytes:.0f} MB, installed in {seconds:.0f} s")
    return bare / "bin"


def plain(**more: str) -> dict[str, str]:
    """The environment without a path to these sources."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")} | more


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, short_folder() as home:
        commands = install(Path(folder))

        def nasd(*arguments: str, code: int = 0) -> str:
            done = subprocess.run(
                [commands / "nasd", *arguments],
                cwd=folder,
                env=plain(NASD_HOME=str(home)),
                capture_output=True,
                check=False,
                text=True,
            )
            assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
            return done.stdout + done.stderr

        def python(code: str) -> None:
            subprocess.run([commands / "python", "-c", code], cwd=folder, env=plain(), check=True)

        absent = f"import importlib.util as u; assert not [n for n in {HEAVY} if u.find_spec(n)]"
        python(absent)
        python("import tui, tui.app, nasd.client, nasd.protocol; assert callable(tui.run)")
        directory = make(home, TRIALS)
        with Process(directory) as daemon:
            daemon.ready().state("finished")
            status = json.loads(nasd("status", "--json", "stub"))
            assert (status["state"], status["progress"]["counted"], status["pid"]) == ("finished", TRIALS, daemon.pid)
            assert "finished" in nasd("status", "stub")
            assert "stub" in nasd("ps")
            assert len(json.loads(nasd("trials", "--json", "--all", "stub"))) >= TRIALS
            assert "REWARD" in nasd("trials", "stub")
        assert "(needs nasd[daemon])" in nasd("--help")
        for arguments in (
            ["start", "x.yaml"],
            ["doctor"],
            ["verify", "stub"],
            ["show", "stub", "1"],
            ["config", "check", "x"],
        ):
            Path(folder, "x.yaml").write_text("seed: 1\n")
            said = nasd(*arguments, code=1)
            assert said.count("\n") == 1, said
            assert "pip install 'nasd[daemon]'" in said, said
    print("a client without the daemon's part asks a running daemon, and says what it lacks")


if __name__ == "__main__":
    main()
