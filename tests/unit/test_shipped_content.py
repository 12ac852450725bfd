"""The content that the desk ships with, as customers answer it: words and cues that could be taken for their
contrary, and the form of answers. What it asks for and promises is in ``policy/test_every_promise.py``."""

from __future__ import annotations

import pytest

from bot.content.answers import Answers
from bot.content.cues import read_cues
from bot.content.procedures import read_procedures
from bot.domain.conversation import Priority
from bot.domain.cues import Cue
from bot.domain.decision import Handoff
from bot.domain.procedure import Procedure, Step
from bot.settings import ROOT
from handoff.procedures import chosen

DATA = ROOT / "data"
LONGEST = 600
"""Characters of an answer: what a phone shows at once."""
ANSWERS = Answers(DATA, ("en", "zh"), {})
PROCEDURES = read_procedures(DATA)
CUES = read_cues(DATA)
STEPS = [(procedure, step) for procedure in PROCEDURES.values() for step in procedure.steps.values() if step.choices]


@pytest.mark.parametrize(("procedure", "step"), STEPS, ids=lambda part: part.name)
def test_each_of_a_choices_words_and_labels_chooses_it(procedure: Procedure, step: Step) -> None:
    for choice in step.choices:
        said = [*choice.words, *choice.label.values()]
        led = {words: chosen(step, words, None, None) for words in said}
        assert led == dict.fromkeys(said, choice.to), f"{procedure.name}.{step.name}"


@pytest.mark.parametrize(
    ("where", "said", "to"),
    [
        ("money_missing.record", "上面写着还没成功", "failed"),
        ("money_missing.record", "显示未确认", "pending"),
        ("money_missing.record", "it says not confirmed", "pending"),
        ("money_missing.record", "unsuccessful", "failed"),
        ("money_missing.record", "币安那边显示审核中", "exchange"),
        ("restore_zero.compare", "地址不一样的", "other"),
        ("restore_zero.compare", "its not the same one", "other"),
        ("restore_zero.same", "没有币", "left"),
        ("failed_transaction.on_chain", "不在的", "details"),
        ("contact_changed.authenticator", "i don't have the recovery key", "details"),
        ("contact_changed.authenticator", "没有备份", "details"),
        ("contact_changed.inside", "还登录不上", "details"),
        ("wallet_password.phrase", "i dont have the words any more", "opens"),
        ("wallet_password.phrase", "没有助记词了", "opens"),
        ("impostor.given", "我没给过他", "safe"),
        ("impostor.given", "gave him nothing", "safe"),
        ("impostor.given", "已经告诉了他助记词", "gave"),
        ("login.page", "支付密码不对", "wallet"),
        ("login.page", "验证码不对", "code"),
        ("login.page", "密码不对", "password"),
        ("login.wallet", "不齐全", "no_phrase"),
        ("withdrawal_review.whose", "在你们交易所", "here"),
    ],
)
def test_a_denial_is_not_taken_for_the_contrary(where: str, said: str, to: str) -> None:
    name, _, step = where.partition(".")
    assert chosen(PROCEDURES[name].steps[step], said, None, None) == to


@pytest.mark.parametrize(
    ("said", "means", "not_means"),
    [
        ("到账了谢谢", Cue.CLOSES, Cue.STILL_NOT),
        ("都三天没到账了", Cue.STILL_NOT, Cue.CLOSES),
        ("到账了吗", Cue.WAITING, Cue.CLOSES),
        ("I never received it", Cue.STILL_NOT, Cue.CLOSES),
        ("when will it be solved", Cue.HOW_LONG, Cue.CLOSES),
        ("交易所显示到账了，钱包里没有", Cue.STILL_NOT, None),
        ("不用了，我自己弄好了", Cue.CANCEL, None),
        ("那个号码不用了", Cue.LACKS, Cue.CANCEL),
        ("还有多久", Cue.HOW_LONG, Cue.ALSO),
        ("帮我转人工", Cue.HUMAN, None),
        ("人工审核要多久", Cue.HOW_LONG, Cue.HUMAN),
        ("he says he is an agent of yours, how long does that take", Cue.HOW_LONG, Cue.HUMAN),
        ("我真的不想活了", Cue.DANGER, None),
        ("i just want to end it all", Cue.DANGER, None),
        ("больше не хочу жить", Cue.DANGER, None),
        ("もう死にたい", Cue.DANGER, None),
        ("笑死我了，怎么还没人", Cue.WAITING, Cue.DANGER),
        ("this wait is killing me, any news", Cue.WAITING, Cue.DANGER),
        ("app 又死机了，还是不行", Cue.STILL_NOT, Cue.DANGER),
        ("手机跳下去一页，怎么找", Cue.WHERE, Cue.DANGER),
    ],
)
def test_cues_mean_what_customers_mean(said: str, means: Cue, not_means: Cue | None) -> None:
    found = CUES.of(said)
    assert means in found
    assert not_means not in found


def test_answers_are_short_and_ask_nothing_that_a_yes_would_answer() -> None:
    for topic in ANSWERS.topics:
        for answer in ANSWERS.variants(topic).values():
            assert len(answer.body) <= LONGEST, answer.path
            assert not {"?", "？"} & set(answer.body), answer.path


def test_nobody_in_danger_is_shown_a_menu() -> None:
    for answer in ANSWERS.variants("person_in_danger").values():
        assert (answer.handoff, answer.priority, answer.buttons) == (Handoff.ALWAYS, Priority.URGENT, ())
        assert answer.body.splitlines()[-1] == "{crisis}"
