"""The search for secrets. None stands here: each is made when the test runs."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.secrets import ordinary, plant, planting
from bot.guard.secrets import LABELS, MOST_MESSAGES, Certainty, Kind, Known, SecretKind, continues, search
from bot.guard.secrets.words import lists, monero

RND = random.Random(20261128)
PHRASE = plant.phrase(RND, "en", 12)
CHINESE = plant.phrase(RND, "zh", 12)
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "7th", "8th", "9th", "tenth", "eleventh", "twelfth")
BLANK = LABELS[SecretKind.SEED_PHRASE]
KEY = f"{RND.getrandbits(256):064x}"


def test_greetings_over_several_messages_are_no_phrase() -> None:
    said = ["thank you very much", "good morning", "thank you very much", "hello there"]
    assert list(search(said).redacted) == said
    assert list(search([f"{one} (#{n})" for n, one in enumerate(said)]).findings) == []


def test_one_word_over_and_over_is_no_phrase() -> None:
    text = " ".join(f"word{n}" for n in range(60))
    assert search([text]).redacted == (text,)
    assert not search([f"{'abandon ' * 11}about"]).redacted[0].strip().startswith("abandon")


def found(*texts: str, known: Known | None = None) -> list[SecretKind]:
    return [finding.kind for finding in search(texts, known or Known()).findings]


@pytest.mark.parametrize("make", planting.KINDS)
def test_of_planted_secrets_nothing_is_left(make: object) -> None:
    rnd = random.Random(7)
    planted = [make(rnd) for _ in range(25)]  # type: ignore[operator]
    left = [one.texts for one in planted if planting.left(one, search(one.texts).redacted)]
    # What has no checksum, or a damaged one, is not always found: docs/security.md has how often.
    assert len(left) <= (
        3 if any(word in planted[0].kind for word in ("wrong", "over", "misspelt", "password")) else 0
    ), left


def test_addresses_signatures_ids_and_named_hashes_stay() -> None:
    assert [text for _, text in planting.harmless(3, 400) if search([text]).findings] == []


@pytest.mark.parametrize(
    "text",
    [
        "you must always find another way because people will never help each other again",
        "please can someone check why this happen again today because nothing change about account",
        "我的助记词忘了，密码也想不起来了，能不能帮我找回来，钱包里还有三百个币怎么办才好",
        "今天早上我给朋友转了一笔钱到现在还没有到账请问大概要多久才能看到",
        "你 好 啊 我 想 问 一 下 怎 么 提 现 呢",
        "my password is wrong, and the code never arrives",
        "密码是对的，可是提示密码错误30008",
        "error code 504312 since 2026-11-28",
        "the verification code expires after 600 seconds",
        "I was asked for a 12 word seed phrase, private key and password",
        "订单号 4539148803436467",
        "is it safe to share my private key?",
        "验证码60秒收不到",
        "secret phrase: 12 words",
        "pin is too short",
        "API key 在哪里申请",
        "apple bread butter cheese chicken coffee corn egg garlic honey lemon milk",
        "debian/rules: pass --disable-default-pie to configure",
    ],
)
def test_ordinary_messages_stay_as_they_are(text: str) -> None:
    assert search([text]).redacted == (text,)


def _chinese(form: str) -> str:
    return "".join(form.format(number, word) for number, word in enumerate(CHINESE, 1))


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"{word} {rnd_filler}" for word, rnd_filler in zip(PHRASE, ["um", "comma", ""] * 4, strict=True)),
        " ".join(f"{place} is {word}," for place, word in zip(PLACES, PHRASE, strict=True)),
        "<ul>" + "".join(f"<li>{word}</li>" for word in PHRASE) + "</ul>",
        " ".join(word[:4] for word in PHRASE),
        " ".join([*PHRASE[:6], "[unreadable]", *PHRASE[7:]]),
        _chinese("第{}个字是{}，"),
        "".join(f"{chr(0x245F + number)}{word}" for number, word in enumerate(CHINESE, 1)),
        "抄的是" + "".join(CHINESE[:7]) + "\n" + "".join(CHINESE[7:]),
    ],
)
def test_a_phrase_is_found_however_it_is_said(text: str) -> None:
    assert found(text) == [SecretKind.SEED_PHRASE]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["i put Rabbit_4417 where it asks for the password"], SecretKind.PASSWORD),
        (["the wallet password i always type is Rabbit_4417"], SecretKind.PASSWORD),
        (["passphrase: garden window rabbit44"], SecretKind.PASSWORD),
        (["我密码发你 rabbit4417 帮我看看"], SecretKind.PASSWORD),
        (["mật khẩu của tôi là rabbit4417"], SecretKind.PASSWORD),
        (["密码给你", "等下", "rabbit4417"], SecretKind.PASSWORD),
        (["rabbit4417", "thats my password"], SecretKind.PASSWORD),
        (["the code they texted me: 84885012"], SecretKind.ONE_TIME_CODE),
        (["i got the code", "504312"], SecretKind.ONE_TIME_CODE),
        (["api key", "q46xG8laVcZRb0A8FYq7", "api secret", "R6h2E6UvaS5nofhbFBTWseUuvmByJw1R"], SecretKind.API_SECRET),
    ],
)
def test_what_is_named_in_other_words_or_in_the_message_beside_it(texts: list[str], kind: SecretKind) -> None:
    assert set(found(*texts)) == {kind}


def test_a_hash_is_kept_where_it_is_named_linked_or_asked_for_and_else_hidden_in_doubt() -> None:
    assert search([KEY]).findings[0].certainty is Certainty.DOUBTFUL
    assert found(KEY, known=Known(asked=frozenset({Kind.HASH}))) == []
    assert found(f"https://etherscan.io/tx/0x{KEY}") == []
    assert found(f"0x{KEY}") == []
    assert found(f"this is not my private key, it is the hash {KEY}") == []
    assert found("the transaction id", "wait", KEY) == []
    assert found("here is my private key", KEY, known=Known(asked=frozenset({Kind.HASH}))) == [SecretKind.PRIVATE_KEY]
    assert found(f"私钥是0x{KEY}") == [SecretKind.PRIVATE_KEY]


def test_kinds_that_are_off_are_let_through() -> None:
    number = plant.identity(RND)
    assert found(f"身份证 {number}") == [SecretKind.IDENTITY_NUMBER]
    assert found(f"身份证 {number}", known=Known(off=frozenset({SecretKind.IDENTITY_NUMBER}))) == []


def test_a_phrase_over_five_messages_is_one_finding_with_a_span_in_each() -> None:
    texts = [" ".join(PHRASE[at : at + 3]) for at in range(0, 12, 3)]
    texts.insert(2, "wait a moment")
    result = search(texts)
    assert [[span.message for span in finding.spans] for finding in result.findings] == [[0, 1, 3, 4]]
    assert result.redacted == (BLANK, BLANK, "wait a moment", BLANK, BLANK)


def _halves(rnd: random.Random) -> list[str]:
    key = rnd.choice((f"{rnd.getrandbits(256):064x}", plant.wif(rnd)))
    cut = rnd.randrange(20, len(key) - 20)
    return [
        rnd.choice(("my private key: ", "私钥发你 ")) + key[:cut],
        "wait",
        rnd.choice(("", "the rest: ")) + key[cut:],
    ]


def _pem_cut(rnd: random.Random) -> list[str]:
    lines = plant.pem(rnd).split("\n")
    return ["\n".join(lines[:2]), "\n".join(lines[2:])]


def _monero_cut(rnd: random.Random) -> list[str]:
    words = plant.monero_phrase(rnd)
    return [" ".join(words[:9]), "hold on", " ".join(words[9:])]


def test_each_message_that_has_a_part_of_a_spread_secret_continues() -> None:
    rnd = random.Random(5)
    spread = [make(rnd).texts for make in (planting._spread, planting._chinese_spread) for _ in range(60)]
    cut = [make(rnd) for make in (_halves, _pem_cut, _monero_cut) for _ in range(15)]
    assert [
        texts for texts in cut if len({span.message for one in search(texts).findings for span in one.spans}) < 2
    ] == []
    for texts in spread + cut:
        spans = [span for one in search(texts).findings if len(one.spans) > 1 for span in one.spans]
        assert [texts[span.message] for span in spans if not continues(texts[span.message])] == []


@pytest.mark.parametrize(
    "text",
    [
        "my password is",
        "助记词:",
        "here is my seed phrase:",
        "私钥如下",
        "Sunny2026!",
        '"ciphertext": "a7',
        KEY[:20],
        "12,7,200,3,9,80,1",
    ],
)
def test_what_announces_a_secret_or_has_a_piece_of_one_continues(text: str) -> None:
    assert continues(text)


def test_few_ordinary_messages_continue_anything() -> None:
    messages = [text for _, text in ordinary.ours(ordinary.ROOT.parent / "shared")][::7]
    assert sum(map(continues, messages)) < len(messages) * 0.15


def test_spans_are_those_of_the_text_as_written() -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if c != " " else "\u3000" for c in " ".join(PHRASE))
    text = f"see\u200b: {wide[:5]}\u200b{wide[5:]}!"
    (finding,) = search([text]).findings
    (span,) = finding.spans
    assert text[: span.start] == "see\u200b: "
    assert text[span.end :] == "!"


def test_the_value_in_the_next_message_is_the_password() -> None:
    assert search(["my password is", "Sunny2026!"]).redacted == ("my password is", LABELS[SecretKind.PASSWORD])


def test_of_more_messages_than_are_searched_together_it_says_so() -> None:
    with pytest.raises(ValueError, match="at most 5"):
        search(["a"] * (MOST_MESSAGES + 1))


def test_monero_is_told_by_its_checksum_alone() -> None:
    words = plant.monero_phrase(random.Random(1))
    assert monero(words)
    assert not monero([*words[:-1], words[-2] if words[-1] != words[-2] else words[-3]])


def test_a_word_one_edit_away_is_near_and_two_edits_are_not() -> None:
    english = next(words for words in lists() if words.name == "en")
    assert all(english.near(word) for word in ("abandn", "abanodn", "abandonn", "abxndon"))
    assert not english.near("abxxdon")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=60),
            st.sampled_from(
                ["密码是", "code 12", "[", "{", "private key ", "\u200b", " ", "。", KEY, f" {' '.join(PHRASE)} ", "İ"]
            ),
        ),
        max_size=12,
    ),
    st.integers(1, MOST_MESSAGES),
)
def test_any_text_is_searched_and_what_is_redacted_has_no_more_to_find(parts: list[str], count: int) -> None:
    texts = ["".join(parts[at::count]) for at in range(count)]
    result = search(texts)
    for text, redacted in zip(texts, result.redacted, strict=True):
        assert " ".join(PHRASE) not in redacted
        assert bool(text) >= bool(redacted)
    assert search(result.redacted).redacted == result.redacted


@pytest.mark.parametrize(
    "unit", ["密码是", "private key ", "12 ", "a7 ", "的一是在", "abandon ", '"ciphertext":"' + "0" * 32]
)
def test_time_grows_with_the_length(unit: str) -> None:
    def spent(size: int) -> float:
        text = unit * (size // len(unit))
        begin = time.process_time()
        search([text])
        return time.process_time() - begin

    spent(1000)
    assert spent(40_000) < 30 * max(spent(4_000), 0.002)


@pytest.mark.parametrize("language", ["en", "cs", "ja", "zh", "zh_tw"])
def test_the_rest_of_a_phrase_follows_what_of_it_was_recognised(language: str) -> None:
    words = plant.phrase(RND, language, 24)
    joint = "" if language.startswith("zh") else " "
    first, second, last = (joint.join(words[a:b]) for a, b in ((0, 15), (15, 20), (20, 24)))
    texts = list[str]()
    for text in (first, "wait a moment", second, last):
        texts = list(search([*texts, text]).redacted)
    assert texts == [BLANK, "wait a moment", BLANK, BLANK]
    assert search([second]).findings == ()


def test_what_is_said_after_a_phrase_stays() -> None:
    for text in (
        "any news",
        "what should I do now",
        "thank you very much",
        "怎么办才好",
        "我的钱还在吗",
        "please help me",
    ):
        assert search([BLANK, text]).redacted == (BLANK, text)
    # All of it was in one message: what comes next is no rest.
    said = f"this is my phrase: {BLANK}, can you see what is wrong with the wallet?"
    assert search([said, "cash market office"]).redacted[1] == "cash market office"
