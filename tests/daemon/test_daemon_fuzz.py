"""Some thousand frames of `fuzz.py` at a daemon whose search runs."""

import threading

import psutil

from tests.daemon.fuzz import Storm, ask_politely
from tests.helpers.nasd_harness import Process, as_the_stub_says, make, sound, until


def test_a_storm_of_frames(home):
    directory = make(home, 30)
    (directory / "gate").touch()
    with Process(directory) as daemon:
        daemon.ready().busy()
        process = psutil.Process(daemon.pid)
        Storm(directory, 500, seed=0).run()
        before = process.memory_info().rss
        storm = Storm(directory, 4000)
        storming = threading.Thread(target=storm.run)
        storming.start()
        assert len(ask_politely(directory, storming.is_alive)) > 10  # it was served all the while
        storming.join()
        assert storm.wrong == []
        assert storm.sent == 4000
        assert process.memory_info().rss < before + (64 << 20)
        until(lambda: process.num_fds() < 40, "the end of all connections")
        (directory / "gate").unlink()
        daemon.state("finished")
        daemon.end()
    sound(directory)
    as_the_stub_says(directory)
