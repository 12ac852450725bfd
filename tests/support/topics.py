"""A topic that tests add, finish and look for."""

from __future__ import annotations

from pathlib import Path

from bot.content.check import MIN_EXAMPLES

LOCALES = ("en", "zh")


TITLES = {"en": "Invite a friend", "zh": "邀请好友奖励"}


NAME = "referral_reward"


FILES = (f"nlu/{NAME}.yml", f"answers/en/{NAME}.md", f"answers/zh/{NAME}.md")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def finish(data: Path, name: str = NAME) -> None:
    """Writes what a support lead would write into a new draft with titles."""
    drafts = data / "drafts"
    path = drafts / "nlu" / f"{name}.yml"
    for language in LOCALES:
        examples = "\n    - ".join(f"{language} {name} question number {n}" for n in range(MIN_EXAMPLES))
        path.write_text(path.read_text().replace("{write_an_example_here}", examples, 1))
        replace(drafts / "answers" / language / f"{name}.md", "{write_the_answer_here}", "You both get a reward.")
