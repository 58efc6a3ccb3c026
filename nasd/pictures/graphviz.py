"""Pictures by graphviz's own program `dot`, where it is installed."""

import os
import re
import shutil
import subprocess

from nasd.errors import NasdError

TIMEOUT = 60.0  # seconds; an architecture takes a fraction of one


def installed() -> bool:
    """Whether there is a `dot` on the PATH."""
    return shutil.which("dot") is not None


def render(text: str, form: str, timeout: float = TIMEOUT) -> bytes:
    """Lay out and draw a graphviz text.

    Args:
        text: In the DOT language.
        form: `png`, `svg` or `pdf`.
        timeout: Seconds after which `dot` is ended.

    Raises:
        NasdError: There is no `dot`, or it does not succeed.
    """
    program = shutil.which("dot")
    if program is None:
        raise NasdError("graphviz's dot is not on the PATH: install graphviz, or draw with --with own")
    try:
        done = subprocess.run(
            [program, f"-T{form}"],
            input=text.encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
        )
    except subprocess.TimeoutExpired as error:
        raise NasdError(f"{program} did not draw within {timeout:g} s: draw with --with own") from error
    except OSError as error:
        raise NasdError(f"{program} cannot be started ({error.strerror}): draw with --with own") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise NasdError(f"{program} failed ({reason}): draw with --with own")
    # The same architecture, the same file: graphviz before version 3 does not heed SOURCE_DATE_EPOCH.
    return re.sub(rb"(?<=/CreationDate \(D:)\d{14}", b"19700101000000", done.stdout)
