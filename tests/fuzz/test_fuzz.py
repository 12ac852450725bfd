"""The short form: always the same examples. The long one is ``python -m benchmarks.fuzz``."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import FAST, WHOLE, bring, fuzz, whole_desk
from tests.fuzz.surface import explore

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@pytest.mark.parametrize("name", FAST)
def test_a_connector_takes_what_is_malformed_and_goes_on(name: str) -> None:
    outcome = fuzz(FAST[name], 300)
    # Or it would prove nothing but that everything is refused.
    assert outcome.counts["recorded"] > 30, outcome


def test_the_whole_desk_does_and_answers_as_its_description_says(database_url: str) -> None:
    with whole_desk(database_url) as (runner, desk):
        for way in WHOLE.values():
            bring(runner, way.target(desk), way, 60)
        statuses = runner.run(explore(desk, 4))
    assert {"200", "303", "401", "404", "422"} <= statuses.keys(), statuses
