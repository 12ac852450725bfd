"""``switchboard scan``: what the search for secrets finds in given messages, without a desk."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO

import typer

from bot.guard.secrets import MOST_MESSAGES, Kind, Known, SecretKind, search
from switchboard.cli.scan_database import scan_database
from switchboard.cli.shared import ConfigOption, cli, fail

MAX_LINE = 16_000_000
"""Bytes of one line."""


@cli.command()
def scan(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON value a line, in and out.")] = False,
    of_database: Annotated[
        bool, typer.Option("--database", help="Look through what the desk has stored, instead of standard input.")
    ] = False,
    clean: Annotated[bool, typer.Option("--clean", help="With --database: remove what is found, for good.")] = False,
    doubtful: Annotated[
        bool, typer.Option("--doubtful", help="With --database: also 64 hexadecimal digits that may be a hash.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Search messages for secrets and show them with these removed. Nothing is written anywhere.

    Standard input has a message a line. With --json a line is a JSON string, an array of up to five consecutive
    messages of one customer (the oldest first), or an object {"text": … or "messages": […], "asked": ["hash"], "off":
    ["card_number"]}: what the customer was asked for, and kinds that are let through. The answer is a line
    {"kinds": […], "redacted": …}, an array for several messages. A line that cannot be read is answered by
    {"line": number, "error": …}, and the command then ends with status 1.

    With --database everything that is stored is looked through: messages with their earlier versions, up to five in a
    row together, quotations, names, text files. It says how much was found and in which conversations, never what, and
    ends with status 1 where something is left; --clean removes it. The desk may run meanwhile; ended in the middle,
    run it again. Customers are not written to.
    """
    if of_database:
        scan_database(config, clean=clean, doubtful=doubtful, as_json=as_json)
        return
    if clean or doubtful:
        fail("--clean and --doubtful go with --database")
    failed = False
    for number, line in enumerate(_lines(sys.stdin.buffer), 1):
        if line is None:
            failed = True
            answer: dict[str, Any] = {"error": f"the line is longer than {MAX_LINE} bytes: scan it in parts"}
        elif as_json:
            answer = _answer(line)
            failed = failed or "error" in answer
        else:
            text = line.decode("utf-8", errors="replace")
            typer.echo(search([text]).redacted[0])
            continue
        if "error" in answer:
            answer = {"line": number, **answer}
        typer.echo(
            json.dumps(answer, ensure_ascii=False) if as_json else f"line {number}: {answer['error']}", err=not as_json
        )
        sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Each line without its end; None for one that is too long, which is skipped without being kept."""
    while raw := stream.readline(MAX_LINE + 1):
        if len(raw) <= MAX_LINE or raw.endswith(b"\n"):
            yield raw.rstrip(b"\r\n")
            continue
        while raw and not raw.endswith(b"\n"):
            raw = stream.readline(MAX_LINE)
        yield None


def _answer(line: bytes) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return {"error": "not JSON in UTF-8: give a string, an array of strings or an object"}
    known = Known()
    if isinstance(given, dict):
        try:
            known = Known(
                frozenset(Kind(kind) for kind in _names(given, "asked")),
                frozenset(SecretKind(kind) for kind in _names(given, "off")),
            )
        except ValueError as error:
            return {"error": f"{error}: asked takes {', '.join(Kind)}; off takes {', '.join(SecretKind)}"}
        unknown = set(given) - {"text", "messages", "asked", "off"}
        if unknown or ("text" in given) == ("messages" in given):
            return {"error": 'an object has one of "text" and "messages", and perhaps "asked" and "off", nothing else'}
        given = given.get("text", given.get("messages"))
    single = isinstance(given, str)
    texts = [given] if single else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return {"error": "must be a string, or an array of strings"}
    if not 1 <= len(texts) <= MOST_MESSAGES:
        return {"error": f"an array has 1 to {MOST_MESSAGES} messages, this one {len(texts)}"}
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    found = search(texts, known)
    kinds = list(dict.fromkeys(finding.kind.value for finding in found.findings))
    return {"kinds": kinds, "redacted": found.redacted[0] if single else list(found.redacted)}


def _names(given: dict[str, Any], name: str) -> list[str]:
    names = given.get(name, [])
    if not isinstance(names, list) or not all(isinstance(kind, str) for kind in names):
        raise ValueError(f"{name} must be an array of names")
    return names
