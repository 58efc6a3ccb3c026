"""The disk quota of a run: embeddings go, the lowest reward's first, until its directory is small enough."""

import logging
from collections.abc import Callable

from store import Delta, Run, StoreError

log = logging.getLogger("nasd.daemon")


class Quota:
    """Keeps a run directory within its quota, `limit`.

    Args:
        run: Open for writing.
        limit: Bytes; None: there is no quota.
        dropped: Told the highest reward whose embedding had to go.
        trouble: Told what a person has to do, and None once nothing has to be done.
    """

    def __init__(
        self,
        run: Run,
        limit: int | None,
        dropped: Callable[[float], None],
        trouble: Callable[[str | None], None],
    ) -> None:
        self._run, self.limit, self._dropped, self._trouble = run, limit, dropped, trouble

    def keep(self) -> None:
        """Make room where it is needed."""
        if self.limit is None:
            self._trouble(None)
            return
        try:
            self._trouble(self._make_room(self.limit))
        except (StoreError, OSError) as error:
            self._trouble(f"the disk quota cannot be kept: {error}")

    def _make_room(self, limit: int) -> str | None:
        """Returns what a person has to do if dropping embeddings is not enough."""
        used, embeddings = self._run.size_on_disk(), self._run.embeddings
        if used <= limit:
            return None
        rest = used - embeddings.size()  # what is not an embedding stays
        numbers, rewards = embeddings.over_quota(max(limit - rest, 0)), embeddings.kept()
        if numbers:
            self._run.commit(Delta(dropped_embeddings=numbers))
            self._dropped(max(rewards[number] for number in numbers))
            log.warning("over the disk quota: dropped the embeddings of trials %s", ", ".join(map(str, numbers)))
        if rest <= limit:
            return None
        return f"the run takes {rest} bytes without embeddings, its disk_quota is {limit}: make room, or make a new run"
