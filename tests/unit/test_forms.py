"""Details recognised by form: amounts, coins, times, devices, tickets and the rest of what customers answer."""

from __future__ import annotations

import time
from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.content.coins import read_vocabulary
from bot.domain.forms import MOST, NUMBER, Detail, Kind, Term, Vocabulary, masked, recognise
from bot.settings import ROOT

VOCABULARY = read_vocabulary(ROOT / "data")
DEVICE = frozenset({Kind.DEVICE, Kind.SYSTEM, Kind.VERSION})
BITCOIN_HASH = "bca32fffa2d003f5a0aae02d258cf38e40f773a03997a4baec84bf90434db904"


def read(text: str, expecting: Collection[Kind] = ()) -> list[Detail]:
    return list(recognise(text, VOCABULARY, expecting))


def brief(text: str, expecting: Collection[Kind] = ()) -> str:
    return "; ".join(f"{detail.kind}={detail.value}" for detail in read(text, expecting))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0.35个eth", "amount=0.35 ETH; coin=ETH"),
        ("300u", "amount=300 USDT; coin=USDT"),
        ("转了1,200 USDT", "amount=1200 USDT; coin=USDT"),
        ("USDT 1.200,50", "coin=USDT; amount=1200.50 USDT"),
        ("两百u", "amount=200 USDT; coin=USDT"),
        ("一万二u", "amount=12000 USDT; coin=USDT"),
        ("1万2千u", "amount=12000 USDT; coin=USDT"),
        ("三个半eth", "amount=3.5 ETH; coin=ETH"),
        ("half a btc", "amount=0.5 BTC; coin=BTC"),
        ("0,5 BTC", "amount=0.5 BTC; coin=BTC"),
        ("usdt300个还没到", "coin=USDT; amount=300 USDT"),
        ("my $14 and 48 EUR", "amount=14 USD; amount=48 EUR"),
        ("充了260块", "amount=260 CNY"),
        ("３００Ｕ", "amount=300 USDT; coin=USDT"),
        # near misses
        ("万一usdt没到", "coin=USDT"),
        ("第一个usdt地址", "coin=USDT"),
        ("转了两三百u", ""),
        ("see u later, can u help", ""),
        ("5 wrong tries, 12 words, 2fa", ""),
        ("usdt 3个月没到", "coin=USDT; duration=3 months"),
    ],
)
def test_amounts(text: str, found: str) -> None:
    assert brief(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("提到钱包的usdt一直没见着", "coin=USDT"),
        ("泰达币走波场网络", "coin=USDT; network=tron"),
        ("从币安提到币安链", "exchange=Binance; network=bsc"),
        ("柚子和狗狗币", "coin=EOS; coin=DOGE"),
        ("转了1个以太坊", "amount=1 ETH; coin=ETH"),
        ("以太坊网络很堵", "network=ethereum"),
        ("usdc on base, their side takes ethereum only", "coin=USDC; network=base; network=ethereum"),
        ("usdttrc20 or USDT-TRC20 or BEP 20", "coin=USDT; network=tron; coin=USDT; network=tron; network=bsc"),
        ("took SOL out of gate.io to my okx", "coin=SOL; exchange=Gate; exchange=OKX"),
        ("вывел тон с биржи бинанс, 5 тон", "exchange=Binance; amount=5 TON; coin=TON"),
        ("리플이 안 와요", "coin=XRP"),
        # ordinary words
        ("can you solve this, the base is near the gate, link etc", ""),
        ("soleil, methods, ethics, stone", ""),
    ],
)
def test_names_of_coins_networks_and_exchanges(text: str, found: str) -> None:
    assert brief(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("昨晚八点", [("time", "昨晚八点", 1440)]),
        ("usdt昨晚转的", [("coin", "USDT", None), ("time", "昨晚", 1440)]),
        ("最老那笔是3/18", [("time", "3/18", None)]),
        ("2023/11/19 or 14/08/2023", [("time", "2023/11/19", None), ("time", "14/08/2023", None)]),
        ("monday morning", [("time", "monday morning", None)]),
        ("2小时前", [("time", "2小时前", 120)]),
        ("三天前", [("time", "三天前", 4320)]),
        ("just now", [("time", "just now", 0)]),
        ("about 3 days ago", [("time", "3 days ago", 4320)]),
        ("left around 9pm yesterday", [("time", "9pm yesterday", 1440)]),
        ("left at 8.45 this morning", [("time", "8.45 this morning", None)]),
        ("the day before yesterday", [("time", "the day before yesterday", 2880)]),
        ("hace 3 días", [("time", "hace 3 días", 4320)]),
        ("3 дня назад", [("time", "3 дня назад", 4320)]),
        ("都快三天啦", [("duration", "3 d", 4320)]),
        ("两天半", [("duration", "2.5 d", 3600)]),
        ("3-5 days", [("duration", "3-5 d", 4320)]),
        ("两三天", [("duration", "2-3 d", 2880)]),
        ("waited 40 min, half an hour", [("duration", "40 min", 40), ("duration", "0.5 h", 30)]),
        ("day 8", [("duration", "8 d", 11520)]),
        # near misses
        ("24/7", []),
        ("waiting (1/3)", []),
        ("更新完一点就退", []),
        ("等半天了", []),
        ("十分感谢", []),
        ("been here from day one", []),
        ("player of the hierarchy", []),
    ],
)
def test_times_and_durations(text: str, found: list[tuple[str, str, int | None]]) -> None:
    assert [(detail.kind, detail.value, detail.minutes) for detail in read(text)] == found


@pytest.mark.parametrize(
    ("text", "expecting", "found"),
    [
        ("73906", {Kind.TICKET}, "ticket=73906"),
        ("73906", (), ""),
        ("oops typo, 58871", {Kind.TICKET}, "ticket=58871"),
        ("it's #58817", (), "ticket=58817"),
        ("Ticket 60382 again", (), "ticket=60382"),
        ("工单号：73906", (), "ticket=73906"),
        ("#1 choice, #eth", (), "coin=ETH"),
        ("红米k60 安卓14", DEVICE, "device=红米k60; system=Android 14"),
        ("app红米k60闪退", (), "device=红米k60"),
        ("galaxy s22, one ui 6", (), "device=galaxy s22; system=One UI 6"),
        ("iPhone 13 Pro Max, ios 17.2", (), "device=iPhone 13 Pro Max; system=iOS 17.2"),
        ("Pixel 7a, newest version from the store", DEVICE, "device=Pixel 7a; version=latest"),
        ("mate60 pro 鸿蒙4", DEVICE, "device=mate60 pro; system=HarmonyOS 4"),
        ("14 pro max", DEVICE, "device=14 pro max"),
        ("苹果手机", DEVICE, "device=苹果手机"),
        ("苹果手机", (), ""),
        ("5.0.172", (), "version=5.0.172"),
        ("版本5.0.172", (), "version=5.0.172"),
        ("v5.0", (), "version=5.0"),
        ("5.0", DEVICE, "version=5.0"),
        ("5.0", (), ""),
        ("192.168.1.20", (), ""),
        ("02.03.2021", (), "time=02.03.2021"),
        ("大概300吧", {Kind.AMOUNT}, "amount=300"),
        ("三千", {Kind.AMOUNT}, "amount=3000"),
        ("大概300吧", (), ""),
        ("晚上", {Kind.TIME}, "time=晚上"),
        ("12.03", {Kind.TIME}, "time=12.03"),
        ("写信到Pie.W5@Example.com吧", (), "mailbox=pie.w5@example.com"),
        ("@user and a@b", (), ""),
        ("13900000000", (), "phone=13900000000"),
        ("+1 555 0100", (), "phone=+15550100"),
        ("短信里是604172", (), ""),
        ("my code is 604172, code: 604172", (), ""),
        ("error code 0x80070005", (), "error=0x80070005"),
        ("bnb余额不足", (), "coin=BNB; error=余额不足"),
        ("it says insufficient funds for gas", (), "error=insufficient funds for gas"),
    ],
)
def test_what_was_asked_for_makes_doubtful_forms_certain(text: str, expecting: set[Kind], found: str) -> None:
    assert brief(text, expecting) == found


def test_what_customers_answer_in_the_shared_dialogues_is_taken() -> None:
    said = (
        ("昨晚转了0.35个eth出去，对方说没看到", "time=昨晚; amount=0.35 ETH; coin=ETH"),
        ("身份证是上个月新换的，提现是周一那笔300u", "time=上个月; time=周一; amount=300 USDT; coin=USDT"),
        ("提到okx的币 一天了没到", "exchange=OKX; duration=1 d"),
        ("1200 usdt, requested tuesday", "amount=1200 USDT; coin=USDT; time=tuesday"),
        ("samsung a54, android 14", "device=samsung a54; system=Android 14"),
    )
    assert {text: brief(text) for text, _ in said} == dict(said)


def test_positions_are_those_of_the_text_itself() -> None:
    text = "İ０.３５个ＥＴＨ，昨晚 a@b.example"
    found = {detail.kind: text[detail.start : detail.end] for detail in read(text)}
    assert found == {Kind.AMOUNT: "０.３５个", Kind.COIN: "ＥＴＨ", Kind.TIME: "昨晚", Kind.MAILBOX: "a@b.example"}


def test_an_empty_vocabulary_recognises_all_but_names() -> None:
    found = recognise(f"{BITCOIN_HASH} usdt 昨晚 300u", Vocabulary())
    assert [detail.kind for detail in found] == [Kind.HASH, Kind.TIME]


def test_a_doubtful_alias_counts_only_where_the_text_is_about_it() -> None:
    vocabulary = Vocabulary(networks=(Term("base", doubtful=("base",)),), coins=(Term("LINK", doubtful=("link",)),))
    values = {
        text: [detail.value for detail in recognise(text, vocabulary)]
        for text in ("the base", "on base", "base chain", "a link", "100 link", "my LINK is gone")
    }
    assert values == {
        "the base": [],
        "on base": ["base"],
        "base chain": ["base"],
        "a link": [],
        "100 link": ["100 LINK", "LINK"],
        "my LINK is gone": ["LINK"],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"交易号{BITCOIN_HASH}你们查查", "交易号[hash]你们查查"),
        (f"https://tronscan.org/#/transaction/{BITCOIN_HASH}?lang=zh 看看", "[hash] 看看"),
        ("工单号73906到哪了", "工单号[ticket]到哪了"),
        ("write to a.b@example.com or +1 555 0100", "write to [mail] or [phone]"),
        ("在2204518这个高度，1234567 usdt", f"在{NUMBER}这个高度，1234567 usdt"),
        ("昨晚转了0.35个eth, 5.0.172", "昨晚转了0.35个eth, 5.0.172"),
    ],
)
def test_a_masked_text_keeps_what_says_what_the_customer_wants(text: str, expected: str) -> None:
    assert masked(text, read(text)) == expected


PIECES = st.sampled_from(
    [
        *[
            "0x" + BITCOIN_HASH,
            BITCOIN_HASH,
            BITCOIN_HASH[:40],
            "0x",
            "TLZqZMup5d3ERwDiGoi24kgeDmhuPwUAEs",
            "bc1q",
            "…",
        ],
        *[
            "1",
            "5",
            "12",
            "999999",
            "3/18",
            "0.5",
            ".",
            ",",
            "-",
            "#",
            "$",
            "u",
            "usdt",
            "eth",
            "base",
            "on",
            "币安",
            "个",
        ],
        *[
            "昨晚",
            "八点",
            "三",
            "万",
            "半",
            "天",
            "前",
            "ago",
            "days",
            "工单",
            "ticket",
            "+86",
            "13900000000",
            "a@b.example",
        ],
        *[
            "https://etherscan.io/tx/",
            "error",
            "版本",
            "v",
            "iphone",
            "安卓",
            "½",
            "İ",
            "\u200b",
            "\u0663",
            "[hash]",
            "\n",
        ],
    ]
)
KINDS = st.sets(st.sampled_from(Kind), max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=60), st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=12).map("".join)), KINDS
)
def test_any_text_is_read_without_overlaps(text: str, expecting: set[Kind]) -> None:
    end = 0
    for detail in read(text, expecting):
        assert end <= detail.start < detail.end <= len(text)
        assert detail.value
        end = detail.end
    masked(text, read(text, expecting))


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12).map(" ".join), KINDS)
def test_a_masked_text_has_nothing_left_to_mask(text: str, expecting: set[Kind]) -> None:
    once = masked(text, read(text, expecting))
    assert masked(once, read(once, expecting)) == once


@pytest.mark.parametrize(
    "piece",
    ["a", "1", " ", "1.", "0x", "一二三", "1 2 ", "a@", "dead beef 1234 ", "0x6d1f…34d2 ", "TLZqZMup5d3ERwDiGoi24kge "],
)
def test_no_text_is_read_in_more_than_linear_time(piece: str) -> None:
    """Ten times the text in far less than a hundred times the time. A pattern that runs wild takes minutes."""

    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        begun = time.perf_counter()
        masked(text, read(text, tuple(Kind)))
        return time.perf_counter() - begun

    short = min(seconds(5_000) for _ in range(3))
    assert seconds(50_000) < 50 * short + 0.5


def test_hashes_are_found_also_behind_what_else_is_looked_for() -> None:
    found = read("words " * MOST + f"{BITCOIN_HASH} 300 usdt")
    assert [detail.kind for detail in found] == [Kind.HASH]
