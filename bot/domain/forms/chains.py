"""Facts about chains: how each writes its addresses, and where its records are shown."""

from __future__ import annotations

from collections.abc import Mapping

EVM = ("ethereum", "bsc", "polygon", "arbitrum", "optimism", "base", "avalanche")
"""One form of hash and address for all of them."""

BARE_HASH = ("bitcoin", "tron", "litecoin", "dogecoin", "bitcoin-cash", "ripple", "ton", "ethereum")
"""Chains whose hashes are 64 hexadecimal digits; Ethereum's, where somebody lost the ``0x``."""

CAPITAL_HASH = ("ripple", "cosmos", "bitcoin", "tron")
"""Where those digits are capitals, as these chains' explorers write them."""

BASE58_VERSIONS: Mapping[bytes, tuple[str, ...]] = {
    b"\x00": ("bitcoin",),
    b"\x05": ("bitcoin", "litecoin"),
    b"\x30": ("litecoin",),
    b"\x32": ("litecoin",),
    b"\x1e": ("dogecoin",),
    b"\x16": ("dogecoin",),
    b"\x41": ("tron",),
    b"\x4c": ("dash",),
    b"\x10": ("dash",),
    b"\x1c\xb8": ("zcash",),
    b"\x1c\xbd": ("zcash",),
    b"\x06\xa1\x9f": ("tezos",),
    b"\x06\xa1\xa1": ("tezos",),
    b"\x06\xa1\xa4": ("tezos",),
}
"""What precedes the 20 bytes of an address in base58check."""

BASE58_BEGINNINGS: Mapping[str, tuple[str, int, int]] = {
    "1": ("bitcoin", 26, 35),
    "3": ("bitcoin", 26, 35),
    "T": ("tron", 26, 36),
    "L": ("litecoin", 32, 35),
    "M": ("litecoin", 32, 35),
    "D": ("dogecoin", 32, 35),
    "X": ("dash", 32, 35),
    "r": ("ripple", 32, 35),
}
"""What a mistyped address may have been: chain, and the lengths that are believed."""

BECH32_PREFIXES: Mapping[str, str] = {
    "bc": "bitcoin",
    "ltc": "litecoin",
    "dgb": "digibyte",
    "addr": "cardano",
    "stake": "cardano",
    "cosmos": "cosmos",
    "osmo": "osmosis",
    "celestia": "celestia",
    "inj": "injective",
    "terra": "terra",
    "kava": "kava",
    "sei": "sei",
    "bnb": "bnb-beacon",
    "thor": "thorchain",
    "zil": "zilliqa",
    "one": "harmony",
    "erd": "multiversx",
}
SEGWIT = frozenset({"bc", "ltc", "dgb"})
"""Prefixes with a witness version in front, whose checksum is bech32m from version 1 on (BIP 350)."""

EXPLORERS: Mapping[str, str] = {
    "optimistic.etherscan.io": "optimism",
    "etherscan.io": "ethereum",
    "etherscan.com": "ethereum",
    "ethplorer.io": "ethereum",
    "bscscan.com": "bsc",
    "polygonscan.com": "polygon",
    "arbiscan.io": "arbitrum",
    "basescan.org": "base",
    "snowtrace.io": "avalanche",
    "snowscan.xyz": "avalanche",
    "tronscan.org": "tron",
    "tronscan.io": "tron",
    "trongrid.io": "tron",
    "mempool.space": "bitcoin",
    "blockstream.info": "bitcoin",
    "blockchain.com/explorer": "bitcoin",
    "blockchain.info": "bitcoin",
    "btc.com": "bitcoin",
    "live.blockcypher.com/btc": "bitcoin",
    "live.blockcypher.com/ltc": "litecoin",
    "litecoinspace.org": "litecoin",
    "dogechain.info": "dogecoin",
    "solscan.io": "solana",
    "explorer.solana.com": "solana",
    "solana.fm": "solana",
    "xrpscan.com": "ripple",
    "livenet.xrpl.org": "ripple",
    "bithomp.com": "ripple",
    "tonscan.org": "ton",
    "tonviewer.com": "ton",
    "stellar.expert": "stellar",
    "cardanoscan.io": "cardano",
    "mintscan.io": "cosmos",
    "subscan.io": "polkadot",
    "blockchair.com/bitcoin-cash": "bitcoin-cash",
    "blockchair.com/bitcoin": "bitcoin",
    "blockchair.com/ethereum": "ethereum",
    "blockchair.com/litecoin": "litecoin",
    "blockchair.com/dogecoin": "dogecoin",
    "blockchair.com/dash": "dash",
    "blockchair.com/ripple": "ripple",
    "blockchair.com/tron": "tron",
    "oklink.com": "",
    "tokenview.io": "",
    "blockchair.com": "",
    "blockscout.com": "",
}
"""Addresses of public explorers, the longer before what they contain, and the chain that each shows (none: many)."""
