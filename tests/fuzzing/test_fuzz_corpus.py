"""What the guided fuzzer begins with, and all that it found, tried again."""

import pytest

from tests.fuzzing.fuzz_targets import CORPUS, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_readers_keep_their_promises(name):
    kept = sorted((CORPUS / name).iterdir())
    assert kept
    for path in kept:
        TARGETS[name](path.read_bytes())
