"""The files of examples/cluster parse, and name only keys, options and programs that exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from nasd import config as configuration
from nasd.cli import cli

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "cluster"
RAY_CLUSTER = {"rayVersion", "headGroupSpec", "workerGroupSpecs"}  # of its specification, those that are needed
GROUP = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def options_of_ray():
    scripts = pytest.importorskip("ray.scripts.scripts")
    return {option for parameter in scripts.start.params for option in (*parameter.opts, *parameter.secondary_opts)}


def commands(path):
    """The command lines that start Ray or nasd, in the blocks of a document or in what is no comment."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        text = "".join(re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))
    lines = (line for line in text.replace("\\\n", " ").splitlines() if not line.startswith("#"))
    return [found for line in lines for found in re.findall(r"\bray start .*|\bnasd [a-z]+ .*", line)]


def test_the_config_is_valid():
    config = configuration.load(FOLDER / "search.yaml")
    assert (config.executor.kind, config.executor.address) == ("ray", "auto")


def test_the_launchers_file_is_one_of_rays_own_schema():
    pytest.importorskip("ray")
    from importlib.util import find_spec

    import jsonschema

    schema = Path(find_spec("ray").origin).parent / "autoscaler" / "ray-schema.json"
    made = yaml.safe_load((FOLDER / "launcher.yaml").read_text(encoding="utf-8"))
    known = set(json.loads(schema.read_text())["properties"]) | {"min_workers"}  # of `local` clusters
    jsonschema.validate(
        {name: value for name, value in made.items() if name != "min_workers"}, json.loads(schema.read_text())
    )
    assert set(made) <= known


def test_the_manifest_names_keys_of_kuberay():
    cluster, policy, claim = yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text(encoding="utf-8"))
    assert (cluster["apiVersion"], cluster["kind"], set(cluster["spec"])) == ("ray.io/v1", "RayCluster", RAY_CLUSTER)
    head, (workers,) = cluster["spec"]["headGroupSpec"], cluster["spec"]["workerGroupSpecs"]
    assert set(head) <= GROUP
    assert set(workers) <= GROUP
    assert {f"--{name}" for name in (*head["rayStartParams"], *workers["rayStartParams"])} <= options_of_ray()
    labels = head["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"] == labels == workers["template"]["metadata"]["labels"]
    (runs,) = (one for one in head["template"]["spec"]["volumes"] if one["name"] == "runs")
    assert runs["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_the_batch_script_is_one_that_bash_reads():
    script = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    lines = script.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(number < first for number, line in enumerate(lines) if line.startswith("#SBATCH"))


@pytest.mark.parametrize("path", [*sorted(FOLDER.iterdir()), ROOT / "docs" / "cluster.md"], ids=lambda path: path.name)
def test_commands_and_options_exist(path):
    known = set(cli.list_commands(None))
    for command in commands(path):
        if command.startswith("ray"):
            assert set(re.findall(r"--[a-z-]+", command)) <= options_of_ray(), command
        else:
            assert command.split()[1] in known, command
