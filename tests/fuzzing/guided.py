"""Search for bytes that break a reader, guided by the branches that they reach (Atheris, libFuzzer).

    python tests/fuzzing/guided.py [TARGET ...] [--minutes 5]

Each target is a process of its own. A finding is written to `tests/fuzzing/corpus/TARGET/`, where the tests try it
from then on.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent

TARGETS = ("grammar", "config", "replay_csv", "q_csv", "frames", "session")
LONGEST = {"config": 400}  # bytes: YAML takes its time
INSTRUMENTED = [
    "tests.fuzzing.fuzz_targets",
    "nasd.spaces.layers",
    "nasd.config",
    "nasd.daemon.server",
    "nasd.runs.published",
    "yaml",
]
WORDS = {
    "grammar": ("C(", "P(", "FC(", "SM(10)]", "[C(16,3,1,1,1), ", ",1)", ",2,2,0,0)", "C(16,3,0,2)", "SM(1)"),
    "config": (
        "name: ", "data: {", "space: {", "search: {", "executor: {", "store: {", "training: {", "log: {", "encoder: {",
        "snapshots: {", "checkpoint: {", "strategy: ", "kind: ", "30m", "50GB",
        "epsilon_schedule: [[1.0, 3]]", "conv_sizes: [3]", "seed: ", "0x", "!!", "&a ", "*a", "<<: ",
        "null", ".inf", "~", "? ", "- ", "2001-01-01", "devices: [cpu]", "every: ", "to: ", "evaluation: full",
    ),
    "replay_csv": ("epsilon,net,train_flag,", "reward,acc_best_val,", '"[0.1, 0.2]"', "True,", "False,", "1e5", "-1"),
    "q_csv": ("start_layer_type,", "end_layer_type,", "utility", "conv,", "max_pool,", "spp,", "1.0,", "0,"),
    "frames": (
        '{"jsonrpc":"2.0",', '"id":1,', '"method":"', '"params":{', '"type":"', "trials", "queue_job", "setup", "step",
        "finished", "evaluate", '"outcome":{', "trial_finished", '"row":{', "\\\\ud800", "null",
    ),
}  # fmt: skip
WORDS["session"] = (*WORDS["frames"], '{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1}}\\x0a')


def fuzz(target: str, options: list[str]) -> None:
    """Run libFuzzer in this process; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzzing import fuzz_targets
    atheris.Setup([sys.argv[0], *options], getattr(fuzz_targets, target))
    atheris.Fuzz()


def search(target: str, minutes: float) -> int:
    """Search in a process of its own; returns its exit code, which is 0 if nothing was found."""
    corpus = HERE / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        words, grown = Path(folder, "words"), Path(folder, "grown")
        words.write_text("".join(f"{dictionary_entry(word)}\n" for word in WORDS[target]))
        grown.mkdir()
        me = [sys.executable, "-m", "tests.fuzzing.guided", target, "--"]
        limits = [
            f"-max_len={LONGEST.get(target, 4096)}",
            "-timeout=20",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={corpus}/found-",
        ]
        spent = [f"-max_total_time={int(60 * minutes)}", "-print_final_stats=1", f"-dict={words}"]
        return subprocess.run([*me, *limits, *spent, str(grown), str(corpus)], check=False).returncode


def dictionary_entry(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> None:
    if "--" in sys.argv:
        fuzz(sys.argv[1], sys.argv[sys.argv.index("--") + 1 :])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all unless named")
    parser.add_argument("--minutes", type=float, default=5.0, help="for each target")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(unknown)}")
    codes = {name: search(name, arguments.minutes) for name in arguments.targets or TARGETS}
    for target, code in codes.items():
        sys.stdout.write(f"{target:>12} {'nothing found' if code == 0 else 'FOUND, see tests/fuzzing/corpus'}\n")
    sys.exit(any(codes.values()))


if __name__ == "__main__":
    main()
