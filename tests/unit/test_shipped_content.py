"""The content that the desk ships with, read as customers answer it: a promise kept by data is tested like one of code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.content.answers import Answers
from bot.content.coins import read_vocabulary
from bot.content.cues import read_cues
from bot.content.procedures import read_procedures
from bot.domain.conversation import ConversationState
from bot.domain.cues import Cue
from bot.domain.dialogue import Ask
from bot.domain.engine import OUT_OF_SCOPE, Prediction, Ranked
from bot.domain.message import TOPIC
from bot.domain.procedure import STEP, End, Procedure, Step
from bot.pipeline.rehearsal import Rehearsal
from bot.settings import ROOT
from handoff.procedures import chosen
from switchboard.wiring import dialogue_of

DATA = ROOT / "data"
FACTS = dict.fromkeys(("email", "phone", "website", "help_centre", "hours", "crisis")) | {
    "brand": "Acme",
    "response_hours": "48",
}
LOCALES = ("en", "zh")
LONGEST = 600
"""Characters of an answer: what a phone shows at once."""
ANSWERS = Answers(DATA, LOCALES, FACTS)
PROCEDURES = read_procedures(DATA)
CUES = read_cues(DATA)
DIALOGUE = dialogue_of(ANSWERS, PROCEDURES, CUES, read_vocabulary(DATA))
STEPS = [(procedure, step) for procedure in PROCEDURES.values() for step in procedure.steps.values()]

GIVEN = {
    Ask.HASH: "0x" + "5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"[:64],
    Ask.ADDRESS: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    Ask.TICKET: "73906",
    Ask.DEVICE: "iphone 13",
    Ask.VERSION: "5.0.172",
    Ask.AMOUNT: "0.35 eth",
    Ask.TIME: "昨天晚上",
    Ask.MAILBOX: "somebody@example.com",
    Ask.WORDS: "红色的字一直在闪",
}
"""What a customer sends when they are asked for it."""


async def _understands_nothing(text: str) -> Prediction:
    return Prediction(text, OUT_OF_SCOPE, 0.4, (Ranked(OUT_OF_SCOPE, 0.4),), sure=False)


def _rehearsal() -> Rehearsal:
    return Rehearsal(DIALOGUE.deciding(DIALOGUE.listening(_understands_nothing), {}), DIALOGUE.speech, "zh")


def _asking() -> Iterator[tuple[str, Ask]]:
    """The button that leads there, and one thing that is asked there."""
    begun = {topic for procedure in PROCEDURES.values() for topic in procedure.topics}
    for topic in ANSWERS.topics:
        answer = next(iter(ANSWERS.variants(topic).values()))
        yield from ((TOPIC + topic, ask) for ask in answer.asks if topic not in begun)
    for procedure, step in STEPS:
        yield from ((f"{STEP}{procedure.name}.any.{step.name}", ask) for ask in step.asks)


@pytest.mark.parametrize(("button", "ask"), _asking(), ids=str)
async def test_what_is_asked_for_is_taken_and_reaches_a_person_or_the_next_step(button: str, ask: Ask) -> None:
    customer = _rehearsal()
    asked = (await customer.say(button=button)).conversation
    given = await customer.say(GIVEN[ask])
    case = given.conversation
    moved = case.dialogue.step is not None and case.dialogue.step != asked.dialogue.step
    assert case.state is ConversationState.QUEUED or moved
    if ask is not Ask.WORDS:
        assert {detail.kind for detail in case.details} & ask.kinds


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
        ("笑死我了，怎么还没到", Cue.STILL_NOT if False else Cue.WAITING, Cue.DANGER),
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


def test_a_person_is_promised_only_where_one_can_come() -> None:
    promises = ("an agent", "人工客服")
    for topic in ANSWERS.topics:
        for answer in ANSWERS.variants(topic).values():
            if answer.handoff.value == "never":
                assert topic == "bot_challenge" or topic == "greet" or not any(word in answer.body for word in promises)


def test_every_procedure_can_end_with_a_person() -> None:
    for procedure in PROCEDURES.values():
        ends = {
            step.ends if step.ends else End.PERSON if step.asks and (not step.then or not step.lacking) else None
            for step in procedure.steps.values()
        }
        assert ends & {End.PERSON, End.SOLVED}, procedure.name


def test_nobody_in_danger_is_shown_a_menu() -> None:
    for answer in ANSWERS.variants("person_in_danger").values():
        assert (answer.handoff.value, answer.priority.name, answer.buttons) == ("always", "URGENT", ())
        assert answer.body.splitlines()[-1] == "{crisis}"
