"""Every promise that `mutations.py` breaks is still in the code, and so is its proof."""

import pytest

from tests.crash.mutations import MUTATIONS, ROOT


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_fits_the_code(name):
    mutation = MUTATIONS[name]
    code = (ROOT / mutation.file).read_text()
    assert [code.count(before) for before in mutation.changes] == [1] * len(mutation.changes)
    assert (ROOT / mutation.proof.partition(" ")[0].partition("::")[0]).is_file()
