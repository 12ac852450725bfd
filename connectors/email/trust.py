"""How far the sender of a mail is who it says: what the server that took it in found out, and what only looks like
somebody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import disarm
import idna

from bot.domain.characters import shows
from connectors.email.mail import Address, Mail

_METHODS = ("spf", "dkim", "dmarc")
_RESULT = re.compile(r"\s*([a-z][a-z0-9-]*)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(r"([a-z]+\.[a-z0-9_-]+)\s*=\s*(\"[^\"]*\"|[^\s;\"]+)", re.IGNORECASE)
_SHORTEST = 5
"""Letters of a name of which one more or less is no chance."""
_FOLDS = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"))
"""What looks alike within ASCII, which no table of Unicode's has."""
_MAIL = re.compile(r"[^\s<>@()\"',;]{1,64}@([^\s<>@()\"',;]{1,253})")
_DIRECTIONS = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class Standing(StrEnum):
    VERIFIED = "verified"
    """The sender's domain says that it sent this."""
    UNVERIFIED = "unverified"
    """Nobody says anything that holds."""
    FAILED = "failed"
    """The domain says that it did not."""


class Mark(StrEnum):
    LIKE_OURS = "like_ours"
    """A domain that looks like one of the desk's, or has it within."""
    LIKE_KNOWN = "like_known"
    """An address that looks like a known one, and is another."""
    NAME_LIKE_OURS = "name_like_ours"
    """Somebody else calls themselves as the desk does."""
    NAME_IS_ADDRESS = "name_is_address"
    """The name is an address of another domain."""
    MIXED_LETTERS = "mixed_letters"
    """A label of the domain has letters of several scripts."""
    INVISIBLE = "invisible"
    """The name has characters that are not seen, or that turn the direction."""
    REPLY_ELSEWHERE = "reply_elsewhere"
    """Answers would go to another domain."""
    SEVERAL_SENDERS = "several_senders"


@dataclass(frozen=True, slots=True)
class Trust:
    standing: Standing
    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    """As the trusted server wrote: ``pass``, ``fail``, ``none`` …; empty where it says nothing."""
    marks: frozenset[Mark] = frozenset()
    shown_domain: str = ""
    """The sender's domain in its own letters; ``xn--`` says little to a reader."""


def trust(
    mail: Mail,
    servers: Sequence[str],
    *,
    own_domains: Iterable[str] = (),
    own_names: Iterable[str] = (),
    known: Iterable[str] = (),
) -> Trust:
    """``servers`` are the names under which our own mail server writes ``Authentication-Results`` (an empty name: those
    that name no server, as some do). ``known`` are addresses that the sender might pretend to be."""
    sender = mail.sender
    marks: set[Mark] = set()
    if len({one.key for one in mail.senders}) > 1:
        marks.add(Mark.SEVERAL_SENDERS)
    if sender is None:
        return Trust(Standing.UNVERIFIED, marks=frozenset(marks))
    results = _results(mail, {one.lower() for one in servers})
    said = {method: results[method][0] if method in results else "" for method in _METHODS}
    standing = _standing(sender.domain, results)
    if Mark.SEVERAL_SENDERS in marks and standing is Standing.VERIFIED:
        standing = Standing.UNVERIFIED
    marks |= set(_marks(sender, mail, [one.lower() for one in own_domains], own_names, known))
    return Trust(standing, said["spf"], said["dkim"], said["dmarc"], frozenset(marks), _letters(sender.domain))


Results = dict[str, tuple[str, dict[str, str]]]


def _results(mail: Mail, servers: set[str]) -> Results:
    """What the trusted server found, by method. Its headers stand above those that the sender wrote; of each method the
    topmost counts, and none below the first ``Received`` that follows its headers."""
    found: Results = {}
    began = False
    for name, value in mail.headers:
        if name == "received" and began:
            break
        if name != "authentication-results":
            continue
        parts = _parts(value)
        server = parts[0].split()[0].lower() if parts and parts[0].split() else ""
        if _RESULT.match(parts[0] if parts else ""):
            server = ""  # it begins with a result: the server is not named
        elif parts:
            parts = parts[1:]
        if server not in servers:
            continue
        began = True
        for part in parts:
            _add(found, part)
    return found


def _add(found: Results, part: str) -> None:
    match = _RESULT.match(part)
    if match is None or (method := match[1].lower()) not in _METHODS:
        return
    properties = {one[1].lower(): one[2].strip('"').lower() for one in _PROPERTY.finditer(part, match.end())}
    result = (match[2].lower(), properties)
    # Of several signatures one that passes is enough.
    if method not in found or (method == "dkim" and found[method][0] != "pass" and result[0] == "pass"):
        found[method] = result
    elif method == "dkim" and result[0] == "pass" and "header.d" in properties:
        kept = found[method][1]
        kept["header.d"] = f"{kept.get('header.d', '')} {properties['header.d']}".strip()


def _parts(value: str) -> list[str]:
    """Between semicolons, without comments, quotation marks heeded."""
    parts: list[str] = []
    current: list[str] = []
    depth, quoted = 0, False
    for char in value[:10_000]:
        if quoted:
            quoted = char != '"'
        elif char == "(":
            depth += 1
            continue
        elif char == ")" and depth:
            depth -= 1
            continue
        elif char == '"' and not depth:
            quoted = True
        elif char == ";" and not depth:
            parts.append("".join(current).strip())
            current = []
            continue
        if not depth:
            current.append(char)
    parts.append("".join(current).strip())
    return parts


def _standing(domain: str, results: Results) -> Standing:
    dmarc, properties = results.get("dmarc", ("", {}))
    if dmarc == "pass" and _aligned(domain, properties.get("header.from", domain)):
        return Standing.VERIFIED
    if dmarc == "fail":
        return Standing.FAILED
    dkim, properties = results.get("dkim", ("", {}))
    signers = properties.get("header.d", "").split() or [properties.get("header.i", "").rpartition("@")[2]]
    if dkim == "pass" and any(_aligned(domain, one) for one in signers):
        return Standing.VERIFIED
    spf, properties = results.get("spf", ("", {}))
    if spf == "pass" and _aligned(domain, properties.get("smtp.mailfrom", "").rpartition("@")[2]):
        return Standing.VERIFIED
    return Standing.UNVERIFIED


def _aligned(domain: str, other: str) -> bool:
    """The same, or one below the other. Two that lie beside each other are not: that would need a list of suffixes."""
    other = other.lower().strip(".").removeprefix("@")
    return bool(domain and "." in other) and (
        domain == other or domain.endswith(f".{other}") or other.endswith(f".{domain}")
    )


def _marks(
    sender: Address, mail: Mail, own_domains: Sequence[str], own_names: Iterable[str], known: Iterable[str]
) -> Iterable[Mark]:
    domain = sender.domain
    ours = any(domain == one or domain.endswith(f".{one}") for one in own_domains)
    if not ours and any(_domain_like(domain, one) for one in own_domains):
        yield Mark.LIKE_OURS
    others = {one.lower() for one in known} - {sender.key}
    if sender.key not in {one.lower() for one in known} and any(_address_like(sender.key, one) for one in others):
        yield Mark.LIKE_KNOWN
    name = _fold(sender.name)
    if not ours and name and any(_fold(one) and _fold(one) in name for one in own_names if len(one) >= 3):
        yield Mark.NAME_LIKE_OURS
    if any(not _aligned(domain, other.lower()) for other in _MAIL.findall(sender.name)):
        yield Mark.NAME_IS_ADDRESS
    if any(len(label) > 1 and disarm.is_mixed_script(label) for label in _letters(domain).split(".")):
        yield Mark.MIXED_LETTERS
    if _DIRECTIONS.search(sender.name) or (sender.name and not shows(sender.name)):
        yield Mark.INVISIBLE
    if any(not _aligned(domain, one.domain) for one in mail.reply_to):
        yield Mark.REPLY_ELSEWHERE


def _letters(domain: str) -> str:
    if "xn--" not in domain:
        return domain
    shown = []
    for label in domain.split("."):
        try:
            shown.append(idna.decode(label) if label.startswith("xn--") else label)
        except (idna.IDNAError, UnicodeError, ValueError):
            shown.append(label)
    return ".".join(shown)


def _fold(text: str) -> str:
    """Texts that look alike have the same."""
    key = disarm.skeleton_key(text[:500])
    for seen, meant in _FOLDS:
        key = key.replace(seen, meant)
    return re.sub(r"[\W_]+", "", key)


def _domain_like(domain: str, own: str) -> bool:
    """Whether somebody may take it for ``own``: the same to the eye, a letter more or less, or with ``own`` within."""
    shown = _letters(domain)
    name, its = own.split(".")[0], shown.split(".")[0]
    if _fold(shown) == _fold(own) or own in shown:
        return True
    labels = [label for label in shown.split(".") if label]
    if len(name) < _SHORTEST:
        return any(_fold(label) == _fold(name) for label in labels[:-1])
    tokens = [token for label in labels[:-1] for token in (label, *label.split("-"))]
    return any(_fold(token) == _fold(name) for token in tokens) or disarm.edit_distance(_fold(its), _fold(name)) <= 1


def _address_like(address: str, known: str) -> bool:
    local, _, domain = address.rpartition("@")
    its, _, other = known.rpartition("@")
    if domain == other:
        return _fold(local) == _fold(its)
    return local == its and _fold(_letters(domain)) == _fold(_letters(other))
