"""The terminal UI: a control room for a search that runs for days. A client of the daemon's socket, nothing else.

`run` is all that the command line needs. Importing this package costs nothing; Textual is loaded when `run` is called.
"""

from nasd.client import Target

__all__ = ["run"]


def run(target: Target) -> int:
    """Attach to a daemon and stay until the person detaches.

    Args:
        target: Which daemon. It need not answer yet: the UI says so, and waits for it.

    Returns:
        The exit code of the command: 0 after a detach.
    """
    from tui.app import NasdApp  # noqa: PLC0415  # Textual takes 160 ms to import; `nasd status` must not pay for it

    app = NasdApp(target)
    app.run()
    return app.return_code or 0
