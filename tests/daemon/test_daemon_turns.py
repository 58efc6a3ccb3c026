"""Who may be answered in a pass of the event loop."""

import asyncio
import time

from nasd.daemon.turns import BURST, Turns


class Asking:
    """Clients that ask again and again, and how often each was answered."""

    def __init__(self, turns):
        self.turns, self.answered, self.tasks = turns, [], []

    def start(self, asker, cost=0.0):
        async def ask():
            while True:
                await self.turns.take(asker)
                end = time.thread_time() + cost
                while time.thread_time() < end:
                    pass
                self.answered.append(asker)

        self.tasks.append(asyncio.create_task(ask()))

    async def end(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_one_answer_in_a_pass_of_the_loop():
    asking = Asking(Turns())
    for _ in range(200):
        asking.start(1)
    for _ in range(100):
        before = len(asking.answered)
        await asyncio.sleep(0)
        assert len(asking.answered) <= before + 1
    await asking.end()
    assert asking.answered


async def test_many_connections_of_one_process_do_not_crowd_out_another():
    asking = Asking(Turns())
    for _ in range(200):
        asking.start(1)
    asking.start(2)
    while len(asking.answered) < 400:
        await asyncio.sleep(0)
    await asking.end()
    assert 150 <= asking.answered.count(2) <= 250


async def test_answers_that_take_long_leave_passes_to_others():
    asking = Asking(Turns())
    for asker in range(5):
        asking.start(asker, cost=BURST)
    passes = 0
    while len(asking.answered) < 20:
        await asyncio.sleep(0)
        passes += 1
    await asking.end()
    assert passes > 10 * len(asking.answered)


async def test_one_who_leaves_while_waiting_does_not_stop_the_others():
    turns = Turns()
    waiting = [asyncio.create_task(turns.take(asker)) for asker in (1, 1, 2, 3)]
    await asyncio.sleep(0)
    for task in waiting[1:3]:
        task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(waiting[0], waiting[3])
    async with asyncio.timeout(10):
        await turns.take(1)
