"""What the policy does once a secret was shared: here, where it was removed, or elsewhere, as the customer tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from bot.content.cues import read_cues
from bot.content.words import SHIPPED
from bot.domain.conversation import ConversationState, EscalationReason, Priority
from bot.domain.cues import Cues
from bot.domain.decision import Action, Decision, Handoff, transition
from bot.domain.dialogue import Ask, DialogueState
from bot.domain.engine import Prediction, Ranked
from bot.domain.heard import Heard
from bot.domain.secret import LABELS, Removed, SecretKind, TheirCopy, from_json, to_json, united, without_labels
from bot.domain.situation import Situation
from bot.settings import Secrets
from handoff import shared_secrets
from handoff.policy import Policy, Topic
from handoff.shared_secrets import TOLD

NOW = Situation(datetime(2026, 11, 28, tzinfo=UTC))
SEED = Removed(SecretKind.SEED_PHRASE)
PASSWORD = Removed(SecretKind.PASSWORD)
MAYBE_HASH = Removed(SecretKind.PRIVATE_KEY, doubtful=True)


@pytest.fixture(scope="module")
def cues() -> Cues:
    return read_cues(SHIPPED.parent)


def keys(decision: Decision) -> list[str]:
    return [said.key.removeprefix("customer.") for said in (*decision.opening, *decision.says)]


@pytest.mark.parametrize(
    "told",
    [
        "I already gave him my phrase",
        "i think i exposed my private key",
        "Sent my private key to someone on telegram",
        "someone has my recovery phrase!!",
        "I told the guy my 24 words",
        "I fell for a phishing site, entered my seed phrase on a fake page",
        "我把助记词发给他了",
        "助记词泄露了怎么办",
        "我在一个网站输入了助记词",
        "私钥被人看到了",
    ],
)
def test_that_somebody_has_the_phrase_is_the_same_case(cues: Cues, told: str) -> None:
    decision = Policy({}, cues=cues).on_text(DialogueState(), Heard(told), NOW)
    assert (decision.reason, decision.priority) == (EscalationReason.FUNDS_AT_RISK, Priority.URGENT)
    assert keys(decision)[:2] == ["at_risk.given", "at_risk.wallet"]
    # Said once; after that only how they stand.
    again = Policy({}, cues=cues).on_text(transition(DialogueState(), decision), Heard(told), NOW, queued=True)
    assert keys(again)[0] == "waiting_urgent"


@pytest.mark.parametrize(
    "told",
    [
        "i never gave anyone my seed phrase",
        "should i give support my seed phrase?",
        "what if someone gets my seed phrase",
        "someone asked me for my seed phrase, is that you?",
        "imported my seed phrase and balance is zero",
        "I lost my seed phrase",
        "客服让我发助记词给他，是真的吗",
        "我没给过别人助记词",
        "我导入助记词以后余额是0",
    ],
)
def test_what_did_not_happen_is_not_the_case(cues: Cues, told: str) -> None:
    assert not shared_secrets.told_in_words(cues, told)


def test_where_the_funds_are_gone_the_first_aid_for_that_says_more(cues: Cues) -> None:
    said = "gave my 12 words to a scammer and now everything is gone"
    prediction = Prediction(said, "funds_stolen", 0.95, (Ranked("funds_stolen", 0.95),), sure=True)
    topics = {"funds_stolen": Topic(handoff=Handoff.ALWAYS, priority=Priority.URGENT)}
    decision = Policy(topics, cues=cues).on_text(DialogueState(), Heard(said, prediction), NOW)
    assert (decision.topic, decision.reason) == ("funds_stolen", EscalationReason.FUNDS_AT_RISK)


def test_what_to_do_now_comes_before_the_place_in_the_queue() -> None:
    decision = shared_secrets.on_removed((SEED,), ConversationState.BOT, NOW, TheirCopy.STAYS)
    assert keys(decision)[:4] == ["removed.seed_phrase", "removed.copy_stays", "at_risk.wallet", "queued_urgent"]
    assert decision.escalates
    assert decision.remembers == TOLD
    assigned = shared_secrets.on_removed((SEED,), ConversationState.ASSIGNED, NOW, TheirCopy.NONE)
    assert keys(assigned) == ["removed.seed_phrase", "at_risk.wallet"]
    assert (assigned.urges, assigned.keeps_dialogue, assigned.priority) == (True, True, Priority.URGENT)
    api = shared_secrets.on_removed((Removed(SecretKind.API_SECRET),), ConversationState.BOT, NOW, TheirCopy.NONE)
    assert keys(api)[:2] == ["removed.api_secret", "at_risk.api"]


def test_a_warning_stands_before_the_answer_and_alone_where_there_is_none() -> None:
    answer = Decision(Action.ANSWER, topic="login_problem", asks=(Ask.DEVICE,))
    decision = shared_secrets.warned(answer, (PASSWORD,), ConversationState.BOT, NOW, TheirCopy.NONE)
    assert (decision.topic, keys(decision)) == ("login_problem", ["removed.password"])
    for nothing in (
        Decision(Action.SILENT, gathers=True),
        Decision(Action.ASK_BACK, understood=False),
        Decision(Action.ASK_BACK, may_wait=True, keeps_dialogue=True),
        None,
    ):
        alone = shared_secrets.warned(nothing, (PASSWORD,), ConversationState.BOT, NOW, TheirCopy.NONE)
        assert (alone.action, alone.topic, keys(alone)) == (Action.ANSWER, None, ["removed.password"])


def test_a_doubtful_key_asks_for_the_hash_beside_what_is_open() -> None:
    decision = shared_secrets.warned(None, (MAYBE_HASH,), ConversationState.BOT, NOW, TheirCopy.NONE)
    assert keys(decision) == ["removed.doubtful"]
    after = transition(DialogueState(topic="transfer_delay", asks=(Ask.TIME,)), decision)
    assert (after.topic, after.asks) == ("transfer_delay", (Ask.TIME, Ask.HASH))


def test_kinds_are_kept_once_and_without_doubt_where_they_were_sure() -> None:
    sure = Removed(SecretKind.PRIVATE_KEY)
    assert united([MAYBE_HASH, SEED], [sure]) == (SEED, sure)
    assert from_json(to_json((SEED, MAYBE_HASH))) == (SEED, MAYBE_HASH)
    assert from_json({"of a later version": True}) == ()
    assert to_json(()) is None
    assert without_labels(f"see {LABELS[SecretKind.PASSWORD]} there").split() == ["see", "there"]


def test_the_settings_know_every_kind() -> None:
    kinds, _ = get_args(Secrets.model_fields["let_pass"].annotation)
    assert set(get_args(kinds)) == set(SecretKind)
