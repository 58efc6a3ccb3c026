"""Pictures of the terminal UI, from a run whose daemon is up: `python docs/screenshots.py RUN [--folder docs]`.

Writes `overview.svg`, `trials.svg`, `trial.svg`, `qtable.svg`, `log.svg` and `insight.svg`.
"""

import argparse
import asyncio
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")

from textual.pilot import Pilot

from nasd.client import Target
from tui.app import NasdApp

FONT_FACE = re.compile(r"@font-face \{.*?\}", re.DOTALL)  # fetched from the network; any monospaced font will do
SCREENS = {"overview": "1", "trials": "2", "trial": "3", "qtable": "4", "log": "6", "insight": "9"}
"""Of a search by Q-learning."""


async def settled(pilot: Pilot[None]) -> None:
    """Until every question is answered and drawn."""
    for _ in range(1200):
        await pilot.pause(0.1)
        asking = [worker for worker in pilot.app.workers if worker.name != "link" and not worker.is_finished]
        if not asking:
            break
    await pilot.pause(1.0)


async def training(app: NasdApp, pilot: Pilot[None]) -> None:
    """Until some trial has a learning curve, if one comes within minutes: the overview shows it."""
    for _ in range(1800):
        status = app.link.status
        if status is not None and any(len(worker.validation_accuracies) > 9 for worker in status.workers):
            return
        await pilot.pause(0.1)


async def shoot(target: Target, folder: Path, size: tuple[int, int], host: str | None) -> None:
    """Go through the screens and keep each."""
    app = NasdApp(target, host=host)
    async with app.run_test(size=size) as pilot:
        for _ in range(300):
            await pilot.pause(0.05)
            if app.link.live:
                break
        else:
            sys.exit(app.link.sentence)
        await training(app, pilot)
        for name, key in SCREENS.items():
            await pilot.press(key)
            await settled(pilot)
            picture = app.export_screenshot(title=f"nasd attach {app.link.status.name if app.link.status else ''}")
            (folder / f"{name}.svg").write_text(FONT_FACE.sub("", picture), encoding="utf-8")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", help="as for `nasd attach`")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    parser.add_argument("--size", default="140x42", help="columns x lines")
    parser.add_argument("--host", help="the name of the box that is shown")
    arguments = parser.parse_args()
    columns, lines = arguments.size.split("x")
    asyncio.run(shoot(Target.parse(arguments.run), arguments.folder, (int(columns), int(lines)), arguments.host))


if __name__ == "__main__":
    main()
