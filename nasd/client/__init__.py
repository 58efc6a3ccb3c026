"""The client library: what the command line, the terminal UI and scripts use to talk to a daemon.

    from nasd.client import Client, Target
    with Client.connect(Target.parse("fashion-mnist")) as client:
        print(client.status().progress.trials)

`nasd.client.aio.Connection` is the same for asyncio, with events. Neither imports torch, pandas or zarr.
"""

from nasd.client.blocking import Client
from nasd.client.session import RemoteError, VersionError
from nasd.client.target import Target

__all__ = ["Client", "RemoteError", "Target", "VersionError"]
