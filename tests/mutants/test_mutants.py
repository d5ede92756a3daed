"""A planted bug is caught, and all still fit the code; `python -m tests.mutants` plants them all."""

import pytest

from tests.mutants.planted import CONSENT, MUTANTS
from tests.mutants.planting import Copy

QUICK = next(mutant for mutant in MUTANTS if mutant.tests == (CONSENT,))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("copy") / "package")


def test_the_sound_copy_passes(copy):
    assert copy.run((CONSENT,)) == "survived"


def test_a_planted_bug_is_caught(copy):
    with copy.planted(QUICK):
        assert copy.run(QUICK.tests) == "caught"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_bug_still_fits_the_code(copy, mutant):
    with copy.planted(mutant):
        pass
