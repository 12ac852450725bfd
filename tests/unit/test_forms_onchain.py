"""Hashes and addresses: the standards' own vectors, and addresses that the libraries make at run time."""

from __future__ import annotations

import base64
import binascii
import hashlib

import pytest
from base58_bech32 import base58, bech32, cashaddr, ss58

from bot.content.coins import read_vocabulary
from bot.domain.forms import Detail, Kind, recognise
from bot.settings import ROOT

VOCABULARY = read_vocabulary(ROOT / "data")
HASH = hashlib.sha256(b"a transaction").hexdigest()
RIPPLE = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
BYTES = hashlib.sha512(b"an address").digest()

EIP_55 = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)
BIP_173_AND_350 = (
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
)
BROKEN_350 = (
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",  # bech32 where bech32m is due
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",  # 16 bytes of version 0
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",  # one character wrong
)


def check(version: bytes, alphabet: bytes = base58.BITCOIN_ALPHABET) -> str:
    return base58.b58encode_check(version + BYTES[:20], alphabet=alphabet).decode()


def crc(data: bytes, order: str) -> bytes:
    return data + binascii.crc_hqx(data, 0).to_bytes(2, "little" if order == "little" else "big")


def made() -> dict[str, str]:
    """An address of each chain."""
    words = bech32.convertbits(BYTES[:20], 8, 5)
    return {
        "bitcoin": check(b"\x00"),
        "litecoin": check(b"\x30"),
        "dogecoin": check(b"\x1e"),
        "dash": check(b"\x4c"),
        "zcash": check(b"\x1c\xb8"),
        "tezos": check(b"\x06\xa1\x9f"),
        "tron": check(b"\x41"),
        "ripple": check(b"\x00", RIPPLE),
        "solana": base58.b58encode(BYTES[:32]).decode(),
        "cosmos": bech32.bech32_encode("cosmos", words, m=bech32.BECH32_1_CONST).decode(),
        "polkadot": ss58.ss58_encode(0, BYTES[:32]).decode(),
        "bitcoin-cash": cashaddr.cashaddr_encode("bitcoincash", 0, BYTES[:20]).decode(),
        "stellar": base64.b32encode(crc(bytes([6 << 3]) + BYTES[:32], "little")).decode(),
        "ton": base64.urlsafe_b64encode(crc(b"\x11\x00" + BYTES[:32], "big")).decode(),
    }


def read(text: str, *expecting: Kind) -> list[Detail]:
    return [found for found in recognise(text, VOCABULARY, expecting) if found.kind in (Kind.HASH, Kind.ADDRESS)]


def only(text: str, *expecting: Kind) -> Detail:
    (detail,) = read(text, *expecting)
    return detail


@pytest.mark.parametrize("chain", made())
def test_an_address_of_each_chain_is_known_and_one_wrong_character_is_seen(chain: str) -> None:
    address = made()[chain]
    found = only(f"地址{address}收到了吗")
    assert (found.kind, found.value, found.chains[0], found.valid) == (Kind.ADDRESS, address, chain, True)
    middle = len(address) // 2
    typo = address[:middle] + ("3" if address[middle] != "3" else "4") + address[middle + 1 :]
    assert not any(detail.valid for detail in read(typo)) or chain == "solana"  # which has no checksum


@pytest.mark.parametrize("address", EIP_55)
def test_eip_55(address: str) -> None:
    assert only(address) == Detail(Kind.ADDRESS, address, 0, 42, only(address).chains)
    assert only(address).chains[0] == "ethereum"
    swapped = address[:-1] + address[-1].swapcase()
    mixed = address[2:] not in (address[2:].lower(), address[2:].upper())
    if mixed and swapped != address:
        assert only(swapped).valid is False


@pytest.mark.parametrize("address", BIP_173_AND_350)
def test_bech32(address: str) -> None:
    found = only(address)
    assert (found.value, found.chains, found.valid) == (address.lower(), ("bitcoin",), True)


@pytest.mark.parametrize("address", BROKEN_350)
def test_broken_bech32(address: str) -> None:
    found = only(address)
    assert (found.kind, found.value, found.chains, found.valid) == (Kind.ADDRESS, address, ("bitcoin",), False)


@pytest.mark.parametrize(
    "text",
    [
        f"0x{HASH}",
        f"0X{HASH.upper()}",
        f"哈希0x{HASH}，收到了吧？",
        f"TxHash:0x{HASH}.",
        f"txhash0x{HASH}",
        "".join(chr(ord(character) + 0xFEE0) for character in f"0x{HASH}"),
        f"0x{HASH[:20]} {HASH[20:41]}\n{HASH[41:]}",
        f"0x {HASH}",
        f"0x{HASH[:30]}\u200b{HASH[30:]}",
        f"it is\n0x{HASH[:33]}\n{HASH[33:]}\na bad one",
    ],
)
def test_an_evm_hash_however_it_was_pasted(text: str) -> None:
    found = only(text)
    assert (found.kind, found.value, found.valid) == (Kind.HASH, f"0x{HASH}", True)
    assert {"ethereum", "bsc", "polygon"} <= set(found.chains)


def test_bare_hashes_and_signatures() -> None:
    assert only(HASH).chains[:3] == ("bitcoin", "tron", "litecoin")
    assert only(HASH.upper()).chains[0] == "ripple"
    signature = base58.b58encode(BYTES).decode()
    assert only(f"sig {signature}") == Detail(Kind.HASH, signature, 4, 4 + len(signature), ("solana",))
    assert only(f"{signature[:60]}\n{signature[60:]}").value == signature
    assert only(signature[:-7]).valid is False


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        (f"trc20 {HASH}", "tron"),
        (f"{HASH} 莱特币没到", "litecoin"),
        (f"my tx on arbitrum 0x{HASH}", "arbitrum"),
        (f"linea 0x{HASH}", "linea"),
        (f"usdt 0x{HASH}", "ethereum"),
    ],
)
def test_the_chain_that_the_text_names_is_the_likeliest(text: str, chain: str) -> None:
    assert only(text).chains[0] == chain


@pytest.mark.parametrize(
    ("link", "kind", "value", "chain"),
    [
        (f"https://etherscan.io/tx/0x{HASH}", Kind.HASH, f"0x{HASH}", "ethereum"),
        (f"https://optimistic.etherscan.io/tx/0x{HASH}#eventlog", Kind.HASH, f"0x{HASH}", "optimism"),
        (f"bscscan.com/tx/0x{HASH}", Kind.HASH, f"0x{HASH}", "bsc"),
        (f"https://tronscan.org/#/transaction/{HASH}?lang=zh", Kind.HASH, HASH, "tron"),
        (f"https://mempool.space/zh/tx/{HASH}", Kind.HASH, HASH, "bitcoin"),
        (f"https://blockchair.com/bitcoin-cash/transaction/{HASH}", Kind.HASH, HASH, "bitcoin-cash"),
        (f"https://blockchair.com/litecoin/transaction/{HASH}", Kind.HASH, HASH, "litecoin"),
        (f"https://tronscan.org/#/address/{made()['tron']}", Kind.ADDRESS, made()["tron"], "tron"),
    ],
)
def test_an_explorers_link_is_one_detail(link: str, kind: Kind, value: str, chain: str) -> None:
    text = f"看这里{link}，没到"
    found = only(text)
    assert (found.kind, found.value, found.chains, text[found.start : found.end]) == (kind, value, (chain,), link)


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        (f"0x{HASH[:4]}…{HASH[-4:]}", f"0x{HASH[:4]}…{HASH[-4:]}", Kind.HASH),
        (f"0x{HASH[:6]}...{HASH[-6:]} 这笔", f"0x{HASH[:6]}…{HASH[-6:]}", Kind.HASH),
        (f"0x{HASH[:50]}", f"0x{HASH[:50]}", Kind.HASH),
        (HASH[:-1], HASH[:-1], Kind.HASH),
        (f"0x{HASH[:39]}", f"0x{HASH[:39]}", Kind.ADDRESS),
        ("TLZq***UAEs", "TLZq…UAEs", Kind.ADDRESS),
        ("bc1qw5…8f3t4", "bc1qw5…8f3t4", Kind.ADDRESS),
        ("bc1qw508d6qejxtdg4y", "bc1qw508d6qejxtdg4y", Kind.ADDRESS),
    ],
)
def test_half_of_one_is_one_and_not_valid(text: str, value: str, kind: Kind) -> None:
    found = only(text)
    assert (found.kind, found.value, found.valid) == (kind, value, False)


def test_what_was_asked_for_says_what_an_abbreviation_is() -> None:
    assert only("0x6d1f…34d2", Kind.ADDRESS).kind is Kind.ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "a face, a bead and a dead cafe added 1234 5678",
        "well... then 100...200, version 1.2...",
        "order 20231119123456789012345678901234567890",
        "550e8400-e29b-41d4-a716-446655440000",
        "https://example.com/a-rather-long-path-without-anything-in-it",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        base58.b58encode_check(b"\x80" + BYTES[:32] + b"\x01").decode(),  # a private key is no address
        "0x1, 0xa9059cbb",
    ],
)
def test_what_is_none(text: str) -> None:
    assert read(text) == []


def test_several_in_one_text_stand_in_their_order() -> None:
    addresses = made()
    text = f"从{addresses['tron']}到{addresses['bitcoin']}，0x{HASH} {HASH}"
    assert [found.kind for found in read(text)] == [Kind.ADDRESS, Kind.ADDRESS, Kind.HASH, Kind.HASH]
