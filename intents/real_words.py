"""How a model does on messages in real customers' words: shown beside the gate's figures, and never decisive.

They are too few to refuse a model for (two of them are a whole percent and more), and their labels are one person's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import yaml

from bot.domain.engine import OUT_OF_SCOPE
from intents.datasets import Example, read_dataset
from intents.metrics import Share
from intents.models import Guess
from intents.paths import EnginePaths
from intents.training import front_matter


@dataclass(frozen=True, slots=True)
class RealWords:
    acted: Share
    """In-scope messages of whose best candidate the model is sure."""
    right: Share
    """Of all messages of whose best candidate it is sure, those where that is the label or another defensible one."""
    urgent: Share
    """Messages with an urgent label whose best candidate is an urgent topic, sure or not: such go to a person long
    before the model is sure."""

    def __str__(self) -> str:
        return (
            f"{_percent(self.acted)} acted on, {_percent(self.right)} of that right, "
            f"{self.urgent.count} of {self.urgent.of} urgent ones reached"
        )


def read_real_words(paths: EnginePaths) -> tuple[Example, ...]:
    """The rows of the file whose label the content has; none if there is no such file. Raises ``DatasetError``."""
    if not paths.real_words.exists():
        return ()
    intents = {example.label for example in read_dataset(paths.data / "nlu").examples} | {OUT_OF_SCOPE}
    return tuple(row for row in read_dataset(paths.real_words).examples if row.label in intents)


def urgent_topics(paths: EnginePaths) -> frozenset[str]:
    """The topics whose answer says ``priority: urgent``."""
    found = set()
    for path in (paths.data / "answers").rglob("*.md"):
        try:
            head = yaml.safe_load(front_matter(path.read_bytes()))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            # `switchboard check` says so; here it is a figure the less.
            continue
        if isinstance(head, dict) and head.get("priority") == "urgent":
            found.add(path.stem)
    return frozenset(found)


def real_words(rows: Sequence[Example], guesses: Mapping[str, Guess], urgent: Collection[str]) -> RealWords:
    sure = [row for row in rows if guesses[row.text].sure]
    in_scope = [row for row in rows if row.label != OUT_OF_SCOPE]
    grave = [row for row in rows if row.label in urgent]
    return RealWords(
        acted=Share(sum(row.label != OUT_OF_SCOPE for row in sure), len(in_scope)),
        right=Share(sum(guesses[row.text].intent in {row.label, *row.also} for row in sure), len(sure)),
        urgent=Share(sum(guesses[row.text].intent in urgent for row in grave), len(grave)),
    )


def _percent(share: Share) -> str:
    return "–" if share.value is None else f"{share.value * 100:.1f} %"
