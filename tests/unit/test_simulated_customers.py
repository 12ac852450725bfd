"""The customers of benchmarks/cases tell a good desk from a bad one: scripted desks reach each outcome."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases.desk import DeskFailed, line_desk, read_answer
from benchmarks.cases.forms import made
from benchmarks.cases.judging import Outcome, play
from benchmarks.cases.loading import World, load
from benchmarks.cases.model import Case, Message, Turn
from benchmarks.cases.reading import asked_for, kept, locale

Script = Callable[[Sequence[Message]], dict[str, Any]]


class ScriptedDesk:
    """Its turn for the last message of a dialogue is what the script says; messages of one go are gathered."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.heard: list[list[Message]] = []

    def answer(self, case: str, messages: Sequence[Message]) -> list[Turn]:
        self.heard.append(list(messages))
        return [Turn(decision="silent")] * (len(messages) - 1) + [Turn(**self.script(messages))]


@pytest.fixture(scope="module")
def world() -> World:
    return load()


def played(world: World, case: str, script: Script) -> Outcome:
    return play(next(one for one in world.cases if one.id == case), ScriptedDesk(script), world)


def always(decision: str, reply: str = "", **more: Any) -> Script:
    return lambda messages: {"decision": decision, "reply": reply, **more}


def in_turn(*turns: dict[str, Any]) -> Script:
    said = iter(turns)
    return lambda messages: next(said, {"decision": "answer", "reply": "…"})


def test_there_are_enough_customers_of_every_kind_and_cause(world: World) -> None:
    share = {language: sum(case.language == language for case in world.cases) for language in ("zh", "en")}
    others = len(world.cases) - sum(share.values())
    assert len(world.cases) >= 200
    assert share["zh"] / len(world.cases) > 0.4
    assert share["en"] / len(world.cases) > 0.38
    assert others / len(world.cases) > 0.12
    assert len({case.language for case in world.cases}) == 12
    assert len({case.kind for case in world.cases}) == 10
    told = {case.cause for case in world.cases} | {case.next.cause for case in world.cases if case.next}
    assert told == set(world.causes)


def knowing(case: Case, world: World) -> Script:
    """A desk that knows what happened: says what is good, or calls a person with all details."""
    step = 0

    def script(messages: Sequence[Message]) -> dict[str, Any]:
        nonlocal step
        step += 1
        told = [case.cause, *([case.next.cause] if case.next and step > 1 else [])]
        causes = [world.causes[name] for name in told]
        spoken = case.switch.language if case.switch and step > 1 else case.language
        locale_of_desk = "zh" if spoken == "zh" else "en"
        held = case.holds | (case.next.holds if case.next else {})
        details = [{"kind": kind, "value": value} for kind, value in held.items()]
        if causes[-1].person in ("at_once", "needed"):
            agent = {"zh": "已为您转接人工客服。", "en": "An agent takes it from here."}[locale_of_desk]
            agent = causes[-1].good.get(locale_of_desk, "") + agent
            return {
                "decision": "escalate",
                "reply": f"{agent} {step}",
                "topic": causes[-1].topics[0],
                "details": details,
            }
        return {"decision": "answer", "reply": "\n".join(cause.good.get(locale_of_desk, "") for cause in causes)}

    return script


def test_a_desk_that_knows_what_happened_solves_every_case(world: World) -> None:
    outcomes = {case.id: played(world, case.id, knowing(case, world)) for case in world.cases}
    assert {name: outcome.why for name, outcome in outcomes.items() if outcome.solved not in ("alone", "person")} == {}
    alone = sum(outcome.solved == "alone" for outcome in outcomes.values())
    assert alone > len(outcomes) * 0.55
    assert sum(outcome.repeats for outcome in outcomes.values()) < len(outcomes)


def test_the_right_steps_solve_a_case_alone(world: World) -> None:
    good = world.causes["evm_pending"].good["en"]
    outcome = played(world, "en-053", always("answer", good))
    assert (outcome.solved, outcome.steps, outcome.repeats) == ("alone", 2, 1)


def test_half_of_the_steps_do_not(world: World) -> None:
    outcome = played(world, "en-053", always("answer", "A pending transfer can be cancelled."))
    assert outcome.solved == "unsolved"
    assert outcome.repeats > 0


def test_what_is_asked_for_is_given_and_must_be_among_the_details(world: World) -> None:
    asks = {"decision": "collect", "reply": "Please send us the hash of the transfer."}
    agent = {"decision": "escalate", "reply": "An agent takes it from here."}
    given = made("@tron", "en-059")
    kept_one = in_turn(asks, agent | {"details": [{"kind": "hash", "value": given}]}, agent, agent)
    assert played(world, "en-059", kept_one).solved == "person"
    lost = played(world, "en-059", in_turn(asks, agent, agent, agent))
    assert (lost.solved, lost.why) == ("unsolved", "details lost: hash")


def test_a_handover_that_nobody_asked_for_is_needless_where_facts_suffice(world: World) -> None:
    agent = always("escalate", "An agent will answer.")
    assert played(world, "en-106", agent).solved == "needless"
    assert played(world, "en-069", agent).solved == "person"


def test_who_is_pushed_too_far_asks_for_a_person_or_leaves(world: World) -> None:
    outcomes = [played(world, case.id, always("answer", "Hm.")) for case in world.cases if case.language == "en"]
    texts = [[message.get("text") for message, _ in outcome.dialogue] for outcome in outcomes]
    asked = [
        set(said) & {*world.wordings["en"].person["calm"], *world.wordings["en"].person["angry"]} for said in texts
    ]
    assert {outcome.solved for outcome in outcomes} == {"unsolved"}
    assert 20 < sum(bool(words) for words in asked) < len(outcomes)


def test_theft_and_danger_go_to_a_person_at_once_and_without_a_menu(world: World) -> None:
    agent = {"decision": "escalate", "reply": "I am so sorry. An agent comes now."}
    cold = agent | {"reply": "An agent comes now."}
    assert played(world, "en-033", always(**cold)).why == "handed over without a kind word"
    assert played(world, "en-033", always(**agent)).solved == "person"
    assert played(world, "en-033", always(**agent, buttons=[{"label": "Fees", "payload": "topic:fee"}])).why.startswith(
        "a menu"
    )
    assert (
        played(world, "en-022", in_turn({"decision": "answer", "reply": "Look here."}, agent, agent)).why
        == "handed over too late"
    )


def test_who_waits_must_not_be_left_without_a_word(world: World) -> None:
    handed = {"decision": "escalate", "reply": "An agent comes."}
    assert played(world, "en-126", in_turn(handed, {"decision": "silent"})).why == "abandoned while waiting"
    assert (
        played(world, "en-126", in_turn(handed, {"decision": "answer", "reply": "You are second."})).solved == "person"
    )


def test_danger_told_while_waiting_has_to_be_noticed(world: World) -> None:
    agent = {"decision": "escalate", "reply": "An agent comes."}
    placed = {"decision": "answer", "reply": "You are second.", "topic": "queue"}
    assert played(world, "en-034", in_turn(agent, placed, placed)).why == "danger not noticed while waiting"
    seen = {"decision": "answer", "reply": "I am sorry.", "topic": "person_in_danger"}
    assert played(world, "en-034", in_turn(agent, seen, seen)).why != "danger not noticed while waiting"


@pytest.mark.parametrize(
    ("case", "reply"),
    [
        ("en-053", "Please send us your seed phrase."),
        ("zh-053", "请提供您的助记词。"),
        ("en-021", "We will recover your stolen funds."),
        ("en-112", "Please reinstall the app."),
        ("zh-066", "矿工费会退给您。"),
        ("en-133", "It is a good time to buy."),
    ],
)
def test_a_falsehood_is_wrong_for_whom_it_is_false(world: World, case: str, reply: str) -> None:
    assert played(world, case, always("answer", reply)).solved == "wrong"


def test_a_falsehood_counts_once_the_customer_told_what_is_meant(world: World) -> None:
    mail = "A reset link comes to your e-mail."
    good = world.causes["wallet_password_phrase_there"].good["en"]
    first = {"decision": "answer", "reply": mail}
    assert played(world, "en-006", in_turn(first, {"decision": "answer", "reply": good})).solved == "alone"
    assert played(world, "en-006", always("answer", mail)).solved == "wrong"


def test_a_fitting_button_is_pressed(world: World) -> None:
    menu = [{"label": "Failed", "payload": "p:2"}, {"label": "Still pending", "payload": "p:1"}]
    good = world.causes["evm_pending"].good["zh"]
    zh_menu = [{"label": "失败", "payload": "p:2"}, {"label": "未确认", "payload": "p:1"}]
    pressed = 0
    for case, buttons in (("en-053", menu), ("en-054", menu), ("zh-053", zh_menu), ("zh-054", zh_menu)):
        asks = {"decision": "collect", "reply": "?", "buttons": buttons}
        outcome = played(world, case, in_turn(asks, {"decision": "answer", "reply": good}))
        pressed += sum(message == {"button": "p:1"} for message, _ in outcome.dialogue)
        assert {"button": "p:2"} not in [message for message, _ in outcome.dialogue]
    assert pressed > 0


def test_thanks_that_are_handed_over_make_it_needless(world: World) -> None:
    good = {"decision": "answer", "reply": world.causes["wants_lower_fee"].good["en"]}
    assert (
        played(world, "en-102", in_turn(good, {"decision": "escalate", "reply": "An agent comes."})).solved
        == "needless"
    )


def test_a_reply_in_a_language_they_cannot_read_solves_nothing(world: World) -> None:
    good = world.causes["evm_pending"].good
    outcome = played(world, "zh-053", always("answer", good["en"]))
    assert outcome.solved == "unsolved"
    assert outcome.foreign > 0
    assert played(world, "ru-01", always("answer", good["en"])).solved == "alone"


def test_the_second_matter_counts_and_the_dropped_one_does_not(world: World) -> None:
    fee, idea = (world.causes[name].good["zh"] for name in ("wants_lower_fee", "asks_coin_supported"))
    nothing = {"decision": "answer", "reply": "……"}
    assert played(world, "zh-012", in_turn(nothing, {"decision": "answer", "reply": fee})).solved == "alone"
    both_open = in_turn(nothing, {"decision": "answer", "reply": idea})
    assert played(world, "zh-081", both_open).solved == "unsolved"


def test_the_same_seed_says_the_same(world: World) -> None:
    script = always("answer", "What is the hash, the time and your version?")
    twice = [[played(world, case.id, script) for case in world.cases[::9]] for _ in range(2)]
    assert twice[0] == twice[1]


def test_asking_is_told_from_telling() -> None:
    asks = load().asks
    assert asked_for("Please send the hash and the amount.", asks)[:3] == ["hash", "amount"]
    assert "hash" not in asked_for("Never send a hash to strangers. Look at the explorer.", asks)
    assert set(asked_for("请发一下交易哈希和手机型号。", asks)) == {"hash", "device"}
    assert asked_for("请不要把哈希发给别人。", asks) == []
    assert (locale("请看 USDT"), locale("see 看 this")) == ("zh", "en")


def test_details_are_compared_as_an_agent_would() -> None:
    assert kept("0.35 ETH", "amount", ["0.35"])
    assert not kept("0.35 ETH", "amount", ["0.3"])
    assert kept("红米K60", "device", ["红米k60 安卓14"])
    assert not kept("60412", "ticket", ["60413"])


def test_the_line_protocol_is_kept(tmp_path: Path) -> None:
    echo = (
        "import json,sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    turns = [{'decision': 'answer', 'reply': str(m)} for m in asked['messages']]\n"
        "    print(json.dumps({'id': asked['id'], 'turns': turns}), flush=True)\n"
    )
    with line_desk([sys.executable, "-c", echo], tmp_path) as desk:
        assert len(desk.answer("a", [{"text": "你好"}, {"attachment": "photo"}])) == 2
    with pytest.raises(DeskFailed, match="1 turns"):
        read_answer(json.dumps({"id": "a", "turns": [{"decision": "silent"}]}), "a", 2)
    with pytest.raises(DeskFailed, match="wrong fields"):
        read_answer(json.dumps({"id": "a", "turns": [{"decision": "guess"}]}), "a", 1)
    with line_desk([sys.executable, "-c", "raise SystemExit(3)"], tmp_path) as desk, pytest.raises(DeskFailed):
        desk.answer("a", [{"text": "x"}])
