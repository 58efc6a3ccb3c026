"""`nasd embed`: a whole data set through a deep prior."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasd import paths
from nasd.cli.options import run_argument
from nasd.cli.output import size
from nasd.cli.priors import find_prior, prior_options

if TYPE_CHECKING:
    from nasd.export.deep_prior import DeepPrior, Dtype


@click.command("embed")
@run_argument
@prior_options
@click.option("--dtype", type=click.Choice(["float16", "float32"]), default="float32", show_default=True)
@click.option("--to", "target", type=click.Path(path_type=Path), help="The new folder; under RUN/exports unless given.")
def embed_command(run: str | None, dtype: "Dtype", target: Path | None, **chosen: Any) -> None:
    """Embed a whole data set with the deep prior of a trial, or of any architecture.

    The result is a zarr v3 group, whole or not there. If it is interrupted, the same command goes on where it was.
    """
    from nasd.export.deep_prior import write_embedding  # noqa: PLC0415
    from store import Run  # noqa: PLC0415
    from store.files import disk_usage  # noqa: PLC0415

    directory = paths.find_run(run)
    with Run.open(directory) as opened:
        prior = find_prior(opened, **chosen)
    target = target or directory / "exports" / _name(prior, chosen, dtype)
    with click.progressbar(length=1, label=f"{prior.architecture}", show_pos=False) as bar:

        def on_step(done: int, steps: int) -> None:
            bar.length = steps
            bar.update(done - bar.pos)

        write_embedding(prior, target, dtype=dtype, on_step=on_step)
    click.echo(f"{size(disk_usage(target))} in {target}")


def _name(prior: "DeepPrior", chosen: dict[str, Any], dtype: str) -> str:
    """Such as trial-000123.zarr, with what differs from the run's own embedding."""
    short = hashlib.blake2b(str(prior.architecture).encode(), digest_size=4).hexdigest()
    named = "best" if chosen["trial"] is None else f"trial-{chosen['trial']:06}"
    parts = [f"net-{short}" if chosen["net"] is not None else named]
    parts += [str(chosen[name]) for name in ("dataset", "statistics") if chosen[name] is not None]
    parts += ["all"] if chosen["all_samples"] else []
    parts += [f"seed{chosen['seed']}"] if chosen["seed"] is not None else []
    parts += [dtype] if dtype != "float32" else []
    return "-".join(parts) + ".zarr"
