"""The short form: always the same examples. The long one is ``python -m benchmarks.fuzz``."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import FAST, WHOLE, fuzz

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@pytest.mark.parametrize("name", FAST)
def test_a_connector_takes_what_is_malformed_and_goes_on(name: str) -> None:
    outcome = fuzz(FAST[name], 1_000)
    # Or it would prove nothing but that everything is refused.
    assert outcome.counts["recorded"] > 100, outcome


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_desk_does(name: str, database_url: str) -> None:
    outcome = fuzz(WHOLE[name], 60, url=database_url)
    assert outcome.updates >= 60
