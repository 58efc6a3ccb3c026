"""Clients take turns, so that a search shares the event loop with one answer at a time and not with all of them."""

import asyncio
import time
from collections import deque

BURST = 0.005  # seconds of processor time for answers after which clients have to wait
REST = 0.5  # seconds that they wait for each second of answers


class Turns:
    """Lets requests in, one in each pass of the event loop, from each of those who ask in turn.

    Two hundred clients that ask at once would otherwise be answered in one pass: each step of the search (a worker's
    report heard, a trial observed, the next one handed out) would wait for all of them. And when answers have taken
    `BURST` seconds, the loop is left to the rest for `REST` times as long: a leaky bucket. A process that asks on many
    connections gets as many turns as one that asks on a single one.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}  # by process; the first one's turn is next
        self._moving = False  # whether `_pass` is scheduled
        self._serving = False  # whether somebody was let in since the last `_pass`
        self._spent = 0.0
        self._at = self._worked = 0.0  # when `_pass` was last called: by the clock, by this thread's processor time

    async def take(self, asker: int) -> None:
        """Wait until it is the turn of this process; it lasts until the caller waits for something else."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(turn)
        if not self._moving:
            self._pass()
        await turn

    def _pass(self) -> None:
        loop = asyncio.get_running_loop()
        now, worked = loop.time(), time.thread_time()
        if self._serving:
            self._spent += worked - self._worked
        else:
            self._spent = max(0.0, self._spent - (now - self._at) / REST)
        self._at, self._worked = now, worked
        self._serving = self._spent <= BURST and self._let_in()
        self._moving = self._serving or bool(self._waiting)
        if self._serving:
            loop.call_soon(self._pass)  # behind the one that was let in
        elif self._waiting:
            loop.call_later(self._spent * REST, self._pass)

    def _let_in(self) -> bool:
        while self._waiting:
            asker = next(iter(self._waiting))
            turns = self._waiting.pop(asker)
            turn = turns.popleft()
            if turns:
                self._waiting[asker] = turns  # behind the others
            if not turn.done():  # else the client left
                turn.set_result(None)
                return True
        return False
