"""The suite in other people's surroundings: `make surroundings`, or `python -m tests.surroundings nohup -- tests/cli`.

Each is a command that the suite is run by. What comes behind `--` is pytest's; without it, what touches the
surroundings most is run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_TOUCHED = ("tests/daemon", "tests/store", "tests/cli", "tests/executors", "tests/data", "tests/box")

HOME = "home of é und Ü"

# A shell is process 1, without an init: it reaps orphans only while it waits for its child.
# The checkout stays where it is, also below /tmp: the working directory keeps hold of it meanwhile.
CONTAINER = """\
mount -t tmpfs -o size=64m tmp /tmp && mount -t tmpfs -o ro shm /dev/shm &&
  mkdir -p "$PWD" && mount -c --bind . "$PWD" && cd "$PWD" && "$@"; exit $?
"""


def commands(folder: Path) -> dict[str, list[str]]:
    """What the suite is run by, by name; files are made in `folder`."""
    home = folder / HOME
    home.mkdir()
    plain = ["env", "-u", "NASD_HOME", "-u", "NASD_DATA"]
    anonymous = [*plain, "-u", "USER", "-u", "LOGNAME"]
    lang_c = [*plain, "-u", "LC_CTYPE", "LANG=C", "LC_ALL=C"]
    at_home = [*plain, f"HOME={home}", f"TMPDIR={home}"]
    unnamed = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
    container = ["unshare", "-m", "-p", "--fork", "--mount-proc", "sh", "-c", CONTAINER, "sh", *anonymous]
    return {
        "nohup": ["nohup", *plain],
        "lang-c": lang_c,
        "home": at_home,
        "nobody": [*unnamed, *anonymous, "HOME=/"],
        "container": container,
        "all": ["nohup", *container, *unnamed, *lang_c, *at_home],
    }


def main() -> int:
    """Returns the exit code: 0 if the tests pass everywhere."""
    given, of_pytest = sys.argv[1:], list(MOST_TOUCHED)
    if "--" in given:
        at = given.index("--")
        given, of_pytest = given[:at], given[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", help="nohup, lang-c, home, nobody, container, all (at once); every one of them unless given"
    )
    chosen = parser.parse_args(given).names
    folder = Path(tempfile.mkdtemp(prefix="n", dir="/var/tmp"))  # short: sockets are in it; not in the small /tmp
    folder.chmod(0o755)  # tests in it go as another user
    try:
        known = commands(folder)
        if unknown := set(chosen) - known.keys():
            parser.error(f"there are no surroundings {', '.join(sorted(unknown))}: {', '.join(known)}")
        outcomes = [_run(name, known[name], folder / HOME / name, of_pytest) for name in chosen or known]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write("".join(f"{said}\n" for _, said in outcomes))
    return int(any(code for code, _ in outcomes))


def _run(name: str, command: list[str], temporary: Path, of_pytest: list[str]) -> tuple[int, str]:
    began = time.monotonic()
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={temporary}", *of_pytest]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = subprocess.run(
        [*command, *pytest], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False
    ).returncode
    said = f"{name}: {'passed' if code == 0 else f'exit code {code}'}, {time.monotonic() - began:.0f} s"
    sys.stdout.write(f"{said}\n")
    sys.stdout.flush()
    return code, said


if __name__ == "__main__":
    sys.exit(main())
