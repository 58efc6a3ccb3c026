"""All that has to be known of a GPU, in one command: nine minutes on one H100.

    python -m benchmarks.gpu [--minutes 9] [--only PART ...] [--out gpu]

Runs the parts below one after the other, each in a process of its own, and writes what they print as `gpu.md`, with one
table of all parts at its head, and as `gpu.json`. Without a GPU the same parts run in a small form on the CPU, in two
minutes on free cores, so that they stay sound (`make bench`). Time is divided by the parts' shares; what a part leaves
goes to those that follow. A part that does not end in its time keeps the rows that it has, and one for which no time is
left is left out; either is said.

A bare machine needs Python 3.11 to 3.13 with the modules of `NEEDED`; numba, zarr and textual it need not have.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
NEEDED = {
    "click": "click", "msgspec": "msgspec", "numpy": "numpy", "platformdirs": "platformdirs", "psutil": "psutil",
    "pydantic": "pydantic", "pynvml": "nvidia-ml-py", "pytest": "pytest", "torch": "torch",
    "torchvision": "torchvision", "yaml": "pyyaml",
}  # fmt: skip
"""Modules, and the packages that have them."""
LEAST = 10.0  # seconds for which it is worth starting a part


class Part(NamedTuple):
    """One process.

    Attributes:
        says: What it measures.
        share: Of the time, on an H100.
        gpu: Its arguments there.
        cpu: Those of its small form.
    """

    says: str
    share: float
    gpu: str
    cpu: str


TESTS = "pytest -q -p no:cacheprovider -o addopts= tests/evaluators/test_device.py"
SEARCH = "benchmarks.searches --seeds 1 --ways whole --repeats 0"
KILLED = "benchmarks.kill_and_compare configs/digits.yaml --set store.keep_embeddings=0 --set search.lookahead=1"
PARTS = {
    "tests": Part("the evaluator's tests on this device", 40, TESTS, TESTS + " -k recorded"),
    "stages": Part(
        "each stage against its ceiling",
        60,
        "benchmarks.evaluator --only tiny A wide",
        "benchmarks.evaluator --only tiny --samples 1500 --threads 1",
    ),
    "stages in bfloat16": Part(
        "the same",
        50,
        "benchmarks.evaluator --only tiny A wide --precision bfloat16",
        "benchmarks.evaluator --only tiny --samples 1500 --threads 1 --precision bfloat16",
    ),
    "classifier": Part(
        "an epoch as a CUDA graph, and call by call",
        30,
        "benchmarks.graphs",
        "benchmarks.graphs --samples 1000 --values 100 --epochs 2",
    ),
    "bfloat16": Part(
        "paired accuracy against float32",
        50,
        "benchmarks.precision --only A wide --seeds 5",
        "benchmarks.precision --only tiny --seeds 2 --samples 500 --epochs 2 --threads 1",
    ),
    "tf32": Part(
        "the same",
        50,
        "benchmarks.precision --precision tf32 --only A wide --seeds 5",
        "benchmarks.precision --precision tf32 --only tiny --seeds 2 --samples 500 --epochs 2 --threads 1",
    ),
    "memory": Part(
        "predicted against measured",
        30,
        "benchmarks.memory --architectures 12 --device cuda",
        "benchmarks.memory --architectures 2 --samples 16",
    ),
    "convolutions": Part(
        "by FFT and direct, by class",
        30,
        "benchmarks.convolutions",
        "benchmarks.convolutions --kernels 5 --channels 16 --sizes 14 --batch 16 --threads 1",
    ),
    "published": Part(
        "the published pipeline beside ours, 70 epochs",
        70,
        "benchmarks.published_pipeline --epochs 1 --only A",
        "benchmarks.published_pipeline --epochs 1 --only tiny --samples 500",
    ),
    "search": Part(
        "a search of the paper's space, as many trials as fit",
        70,
        SEARCH + " --samples 54000 --validation 6000 --precision bfloat16 --epochs 70 --trials 80 10 10 --minutes 0.7",
        SEARCH + " --samples 500 --validation 200 --features 32 --max-gflops 0.02 --epochs 2 --trials 4 2 2",
    ),
    "kills": Part(
        "a search killed and resumed, bit for bit",
        100,
        KILLED + " --trials 8 --kills 2 --longest 2 --set executor.devices=[cuda]",
        KILLED + " --trials 15 --kills 1 --longest 0.2 --set executor.devices=[cpu]",
    ),
}


@dataclass
class Result:
    """What came of a part.

    Attributes:
        command: As it was run.
        seconds: That it took.
        outcome: done, failed, not finished in its time, or left out.
        tables: Each table that it printed, a dictionary a row.
        output: All that it printed; of one that failed, also its last words.
    """

    command: str
    seconds: float = 0.0
    outcome: str = "left out, no time"
    tables: list[list[dict[str, str]]] = field(default_factory=list)
    output: str = ""


def missing() -> str | None:
    """What this machine lacks, in a sentence."""
    lacking = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if not lacking:
        return None
    return (
        f"benchmarks.gpu needs {', '.join(lacking)}: install them, or, where there is no package index, bring them "
        f"along (python -m pip download --python-version 3.12 --only-binary=:all: -d wheels {' '.join(lacking)})"
    )


def device() -> str:
    """The GPU's name, or `cpu`; asked in a process of its own, which leaves no context on the GPU."""
    question = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu')"
    return subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True).stdout.strip()


def tables(output: str) -> list[list[dict[str, str]]]:
    """The Markdown tables in a text."""
    found: list[list[dict[str, str]]] = []
    header: list[str] | None = None
    for line in output.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]] if line.startswith("|") else []
        if not cells:
            header = None
        elif header is None:
            header = cells
            found.append([])
        elif not set(line) <= set("|- :"):
            found[-1].append(dict(zip(header, cells, strict=False)))
    return found


def run(arguments: str, seconds: float) -> Result:
    """Run a part, at most so long; its children end with it."""
    command = [sys.executable, "-m", *arguments.split()]
    result, began = Result(" ".join(["python", *command[1:]])), time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="gpu-", ignore_cleanup_errors=True) as folder,
        Path(folder, "out").open("w+") as out,
    ):
        kept = {"TMPDIR": folder, "PYTHONUNBUFFERED": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        place = {"cwd": ROOT, "env": os.environ | kept}
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, **streams, **place, start_new_session=True) as part:
            try:
                result.outcome = "failed" if part.wait(seconds) else "done"
            except subprocess.TimeoutExpired:
                result.outcome = f"not finished in {seconds:.0f} s"
            finally:
                if part.poll() is None:
                    os.killpg(part.pid, 9)
        result.seconds = time.monotonic() - began
        out.seek(0)
        result.output = out.read().strip()
    result.tables = tables(result.output)
    return result


def summary(name: str, results: dict[str, Result], minutes: float) -> str:
    """Everything as Markdown, with a table of all parts at its head."""
    lines = [
        f"# {name}",
        "",
        f"`python -m benchmarks.gpu`, {minutes:g} minutes, {time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}.",
        "",
        "| part | what | outcome | s |",
        "| --- | --- | --- | --- |",
        *(f"| {part} | {PARTS[part].says} | {one.outcome} | {one.seconds:.0f} |" for part, one in results.items()),
    ]
    for part, one in results.items():
        lines += ["", f"## {part}", "", f"`{one.command}`: {one.outcome}", "", one.output] if one.output else []
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="for all parts; else 9, on a CPU 10")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="where the files go, without their endings")
    arguments = parser.parse_args()
    if lack := missing():
        sys.exit(lack)
    name = device()
    minutes = arguments.minutes or (10.0 if name == "cpu" else 9.0)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    end, results = time.monotonic() + 60 * minutes, dict[str, Result]()
    for number, part in enumerate(arguments.only):
        shares = [PARTS[later].share for later in arguments.only[number:]]
        seconds = (end - time.monotonic()) * shares[0] / sum(shares)
        command = PARTS[part].cpu if name == "cpu" else PARTS[part].gpu
        results[part] = run(command, seconds) if seconds >= LEAST else Result(command)
        print(f"{part}: {results[part].outcome}, {results[part].seconds:.0f} s", flush=True)
        arguments.out.with_suffix(".md").write_text(summary(name, results, minutes), encoding="utf-8")
        found = {"device": name, "parts": {part: asdict(one) for part, one in results.items()}}
        arguments.out.with_suffix(".json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(f"{arguments.out}.md and {arguments.out}.json have it all")
    if any(one.outcome == "failed" for one in results.values()):
        sys.exit("a part failed")


if __name__ == "__main__":
    main()
