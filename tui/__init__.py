"""The terminal UI: a control room for a search that runs for days. A client of the daemon's socket, nothing else.

`run` is all that the command line needs. Importing this package costs nothing; Textual is loaded when `run` is called.
"""

from nasd.client import Target

__all__ = ["run"]

HEAD_START = 0.02  # seconds: enough to connect to a daemon, or to start the process that reads the files


def run(target: Target) -> int:
    """Attach to a daemon and stay until the person detaches.

    Args:
        target: Which daemon. It need not answer yet: the UI says so, and waits for it.

    Returns:
        The exit code of the command: 0 after a detach.
    """
    import asyncio  # noqa: PLC0415

    return asyncio.run(_attached(target))


async def _attached(target: Target) -> int:
    import asyncio  # noqa: PLC0415

    from tui.link import opened  # noqa: PLC0415

    # Whoever answers gets ready while Textual is imported, which takes 160 ms.
    opening = None if target.home else asyncio.create_task(opened(target))
    if opening is not None:
        await asyncio.wait({opening}, timeout=HEAD_START)
    from tui.app import NasdApp  # noqa: PLC0415

    app = NasdApp(target, opening=opening)
    await app.run_async()
    return app.return_code or 0
