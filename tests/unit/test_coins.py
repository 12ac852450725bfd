"""``data/coins.yml``: what a mistake in it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.content.coins import FILE, read_vocabulary
from bot.content.problems import ContentError
from bot.domain.forms import Vocabulary, recognise
from bot.settings import ROOT


def test_a_lead_adds_a_coin_with_its_aliases(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        "coins:\n  ON: {aliases: [欧恩币], behind_number: [o], networks: [onnet]}\nnetworks:\n  onnet: {evm: true}\n",
        encoding="utf-8",
    )
    found = recognise("欧恩币 on onnet, 5o", read_vocabulary(tmp_path))
    assert [detail.value for detail in found] == ["ON", "ON", "onnet", "5 ON", "ON"]


def test_without_the_file_no_name_is_recognised(tmp_path: Path) -> None:
    assert read_vocabulary(tmp_path) == Vocabulary()


def test_the_shipped_list_knows_what_customers_write() -> None:
    vocabulary = read_vocabulary(ROOT / "data")
    assert {"BTC", "ETH", "USDT", "TRX", "BNB", "SOL", "POL"} <= {coin.value for coin in vocabulary.coins}
    assert {"bitcoin", "ethereum", "tron", "bsc", "polygon"} <= vocabulary.coin_networks.keys() | {
        network.value for network in vocabulary.networks
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("coins:\n  BTC: {networks: [bitcion]}\n", "coins.BTC: the network bitcion is not under networks"),
        ("coins:\n  BTC: {alias: [x]}\n", "coins.BTC.alias: Extra inputs are not permitted"),
        ("coins:\n  BTC: {aliases: [大饼]}\n  ETH: {aliases: [大饼]}\n", "the alias 大饼 is also that of BTC"),
        ("coins:\n  BTC: {aliases: bitcoin}\n", "coins.BTC.aliases: Input should be a valid tuple"),
        ("networks:\n  base: {evm: perhaps}\n", "networks.base.evm"),
        ("coins: [\n", "cannot be read"),
        ("- BTC\n", "Input should be a valid dictionary"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / FILE).write_text(written, encoding="utf-8")
    with pytest.raises(ContentError) as raised:
        read_vocabulary(tmp_path)
    assert str(tmp_path / FILE) in str(raised.value)
    assert said in str(raised.value)
