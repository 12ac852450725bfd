"""Details recognised by their form, with checksums: pure, the same for guard, policy and agents."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bot.domain.forms import amounts, contacts, machines, onchain, times
from bot.domain.forms.chains import EVM
from bot.domain.forms.detail import NUMBER, PLACEHOLDERS, Detail, Kind
from bot.domain.forms.masking import masked
from bot.domain.forms.reading import MOST, Reading
from bot.domain.forms.vocabulary import Term, Vocabulary

__all__ = ["MOST", "NUMBER", "PLACEHOLDERS", "Detail", "Kind", "Term", "Vocabulary", "masked", "recognise"]


def recognise(text: str, vocabulary: Vocabulary, expecting: Collection[Kind] = ()) -> tuple[Detail, ...]:
    """What the text states, by position, not overlapping.

    ``expecting`` is what the customer was asked for: what would be doubtful by itself, such as a bare number where a
    ticket's was asked for, is then taken. Never raises, and takes time in proportion to the text. In a text of more
    than ``MOST`` characters only hashes and addresses are looked for behind them.
    """
    reading = Reading(text, frozenset(expecting))
    onchain.find(reading)
    contacts.find_mailboxes(reading)
    if reading.has_digit:
        contacts.find_tickets(reading)
    machines.find(reading)
    contacts.find_errors(reading)
    times.find(reading)
    vocabulary.find(reading)
    if reading.has_digit:
        contacts.find_phones(reading)
    amounts.find(reading, vocabulary)
    if reading.has_digit:
        contacts.find_bare_tickets(reading)
    found = sorted(reading.found, key=lambda detail: detail.start)
    return tuple(_in_context(found, vocabulary))


def _in_context(found: list[Detail], vocabulary: Vocabulary) -> list[Detail]:
    """The chains that the same text names go before the others that a hash or an address fits."""
    named = [detail.value for detail in found if detail.kind is Kind.NETWORK]
    for detail in found:
        if detail.kind is Kind.COIN:
            named.extend(vocabulary.coin_networks.get(detail.value, ()))
    return [_ordered(detail, named, vocabulary) for detail in found] if named else found


def _ordered(detail: Detail, named: list[str], vocabulary: Vocabulary) -> Detail:
    if detail.kind not in (Kind.HASH, Kind.ADDRESS) or len(detail.chains) < 2:
        return detail
    is_evm = detail.chains == EVM
    fitting = [chain for chain in named if chain in detail.chains or (is_evm and chain in vocabulary.evm)]
    return replace(detail, chains=tuple(dict.fromkeys((*fitting, *detail.chains))))
