"""What agents write passes a door of its own: a customer's secret is refused, and what agents say every day is not."""

from __future__ import annotations

import pytest

from bot import guard
from bot.domain.message import File
from bot.domain.secret import SecretKind
from bot.settings import ROOT
from tests.support.words import WORDS

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
WIF = "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"
HASH = "9f2c4e6a8b0d1f3e5c7a9b1d3f5e7c9a0b2d4f6e8a1c3e5f7b9d0a2c4e6f8b1d"

EVERYDAY = [
    "your password is reset",
    "I have reset your password, please check your mailbox",
    "Your password must have 12 characters, and **must** hold a digit",
    "The code we sent you is valid for 10 minutes",
    "Your seed phrase is 12 words. Never send it to anybody, not to us either",
    "客户说密码不对，已让他重置",
    "验证码已发送到您的邮箱，10分钟内有效",
    "Ticket 482913, order 20261128001734, 0x52908400098527886E0F7030069857D2E4169EE7",
    f"The transaction is {HASH}",
    HASH,
]


@pytest.mark.parametrize("text", EVERYDAY)
def test_what_agents_say_every_day_passes(text: str) -> None:
    assert guard.agents(text) == text


def test_every_canned_answer_passes() -> None:
    found = 0
    for file in (ROOT / "data" / "answers").rglob("*.md"):
        body = file.read_text(encoding="utf-8").split("---", 2)[-1]
        for text in (body, *filter(str.strip, body.splitlines())):
            found += 1
            assert guard.agents(text) == text
    assert found > 500


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"he wrote: {PHRASE}", SecretKind.SEED_PHRASE),
        (f"key {WIF}", SecretKind.PRIVATE_KEY),
        ("login with the password: Sunny2026!", SecretKind.PASSWORD),
        ("the card is 4111 1111 1111 1111", SecretKind.CARD_NUMBER),
    ],
)
def test_a_secret_is_refused_and_not_repeated(text: str, kind: SecretKind) -> None:
    with pytest.raises(guard.SecretInWords) as refused:
        guard.agents(text)
    error = refused.value
    assert error.kinds == (kind,)
    told = " ".join([str(error), repr(error.said), *map(str, error.args)])
    assert not any(word in told for word in text.split() if len(word) > 5 and word != "password:")
    assert guard.agents(text, {kind}) == text
    assert "Ask the customer never to send it" in WORDS.say(error.said.key, "en", what="…")
    assert "请告诉客户不要再发" in WORDS.say(error.said.key, "zh", what="…")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_text_file_is_searched_whatever_it_is_called(encoding: str) -> None:
    content = f"助记词\r\n{PHRASE}\r\n".encode(encoding)
    with pytest.raises(guard.SecretInWords) as refused:
        guard.agents_file(File("cat.jpg", "image/jpeg", content))
    assert refused.value.said.values["name"] == "cat.jpg"


def test_other_files_pass() -> None:
    guard.agents_file(File("how-to.txt", "text/plain", "\n".join(EVERYDAY).encode()))
    guard.agents_file(File("cat.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 20))
    guard.agents_file(File("long.txt", "text/plain", "é".encode() * 1_500))
    guard.agents_file(File("cut.txt", "text/plain", b"." + "é".encode() * 1_500))


def test_a_file_name_that_is_a_secret_is_not_repeated() -> None:
    with pytest.raises(guard.SecretInWords) as refused:
        guard.agents_file(File(f"{PHRASE}.txt", "text/plain", b"hello"))
    assert "sausage" not in repr(refused.value.said) + str(refused.value)
