"""Nothing but ``bot/store/lifecycle.py`` writes what belongs to a conversation's lifecycle, or its events."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.settings import ROOT
from bot.store.lifecycle import OWNED

STORE = ROOT / "bot/store"
WRITER = STORE / "lifecycle.py"
TABLES = ("conversation", "event")
_UPDATE = re.compile(r"\bUPDATE\s+(?:ONLY\s+)?conversation\b(.*?)(?:\bFROM\b|\bWHERE\b|\bRETURNING\b|\Z)", re.I | re.S)
_INSERT = re.compile(r"\b(?:INSERT\s+INTO|MERGE\s+INTO|COPY)\s+(?:conversation|event)\b", re.I)
_CHANGED = re.compile(r"\b(?:UPDATE|DELETE\s+FROM)\s+event\b", re.I)


def test_it_owns_what_it_should() -> None:
    assert {"state", "agent_id", "reason", "queued_at", "waiting_since", "resolved_at", "generation"} <= OWNED


def test_nobody_else_writes_it() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {problem}"
        for file in [*STORE.rglob("*.py"), *(ROOT / "bot/queue").rglob("*.py")]
        if file != WRITER and "migrations" not in file.parts
        for line, problem in violations(file.read_text())
    ]
    assert found == []


def test_the_writer_is_seen_to_write() -> None:
    """The search finds what it is to find."""
    assert len(list(violations(WRITER.read_text()))) >= 4


@pytest.mark.parametrize(
    "source",
    [
        "update(conversation).where(x).values(state='bot')",
        "update(conversation).where(x).values({'agent_id': None})",
        "update(tables.conversation).values(waiting_since=None)",
        "update(conversation).values(values)",  # it cannot be seen what that is
        "update(conversation).values(**values)",
        "update(conversation).values(updated_at=1).values({**other})",
        "statement = update(conversation).where(x)",
        "conversation.update().values(state='bot')",
        "insert(conversation).values(contact_id=1)",
        "upsert(conversation).values(contact_id=1)",
        "delete(conversation)",
        "insert(event).values(kind='opened')",
        "update(event).values(kind='opened')",
        "'UPDATE conversation SET updated_at = now(), state = %(x)s WHERE id = 1'",
        "'UPDATE conversation c SET queued_at=now()'",
        "f'UPDATE conversation SET updated_at = now(), reason = {x}'",
        "f'UPDATE conversation SET updated_at = now(), {MORE}'",
        "'INSERT INTO conversation (contact_id) VALUES (1)'",
        "'WITH made AS (INSERT INTO event (kind) SELECT 1) SELECT 1'",
        "'DELETE FROM event'",
    ],
)
def test_such_a_write_is_found(source: str) -> None:
    assert list(violations(source))


@pytest.mark.parametrize(
    "source",
    [
        "update(conversation).where(conversation.c.state == 'bot').values(updated_at=1, language='en')",
        "update(conversation).where(x).values(updated_at=1).values(rows.dialogue(state))",
        "update(message).values(state='sent')",
        "from bot.store.lifecycle import A\nf'UPDATE conversation SET updated_at = now(), {A} FROM made WHERE {B}'",
        "select(conversation.c.state)",
        "'UPDATE conversation SET updated_at = now() FROM made WHERE state = made.state'",
        "'SELECT state FROM conversation WHERE state = 1'",
    ],
)
def test_such_a_write_is_none(source: str) -> None:
    assert list(violations(source)) == []


def violations(source: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(source)
    pieces = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "bot.store.lifecycle"
        for name in node.names
    }
    """What other statements may be put together from: it is the writer's own."""
    read = set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values":
            if (begin := _written(node)) is None:
                continue
            read.add(id(begin))
            if _of(begin) != "update conversation":
                yield node.lineno, f"{_of(begin)} belongs to the writer"
            for problem in _columns(node):
                yield node.lineno, problem
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _of(node) and id(node) not in read:
            yield node.lineno, f"{_of(node)} whose values cannot be seen here"
        text = _text(node)
        if text is not None:
            yield from ((node.lineno, problem) for problem in _in_sql(text, pieces))  # type: ignore[attr-defined]


def _written(values: ast.Call) -> ast.Call | None:
    """The ``update(conversation)`` or the like that a chain of calls begins with."""
    node: ast.expr = values
    while isinstance(node, ast.Call):
        if _of(node):
            return node
        if not isinstance(node.func, ast.Attribute):
            return None
        node = node.func.value
    return None


def _of(node: ast.Call) -> str:
    """``update conversation``, for a call that begins to write one of the tables; empty for any other."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("update", "insert", "delete"):
        named, verb = node.func.value, node.func.attr
    elif isinstance(node.func, ast.Name) and node.func.id in ("update", "insert", "upsert", "delete") and node.args:
        named, verb = node.args[0], node.func.id
    else:
        return ""
    table = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
    return f"{verb} {table}" if table in TABLES else ""


def _columns(values: ast.Call) -> Iterator[str]:
    names: list[str | None] = [keyword.arg for keyword in values.keywords]
    for given in values.args:
        if isinstance(given, ast.Dict):
            names += [key.value if isinstance(key, ast.Constant) else None for key in given.keys]
        elif ast.unparse(given.func if isinstance(given, ast.Call) else given) != "rows.dialogue":
            names.append(None)
    for name in names:
        if name is None:
            yield "values that cannot be seen here: name the columns"
        elif name in OWNED:
            yield f"{name} belongs to the lifecycle"


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else _piece(part) for part in node.values)
    return None


def _piece(part: ast.expr) -> str:
    assert isinstance(part, ast.FormattedValue)
    return f"{{{ast.unparse(part.value)}}}"


def _in_sql(text: str, pieces: set[str]) -> Iterator[str]:
    if _INSERT.search(text) or _CHANGED.search(text):
        yield "SQL that writes conversations or events"
    for assignments in _UPDATE.findall(text):
        for column in OWNED:
            if re.search(rf"\b{column}\s*=", assignments):
                yield f"{column} belongs to the lifecycle"
        for piece in re.findall(r"\{(.*?)\}", assignments, re.S):
            if piece not in pieces:
                yield f"{piece} cannot be seen here: name the columns"


def test_the_files_are_where_this_test_looks() -> None:
    assert {"acts.py", "incoming.py", "turns.py", "statements.py"} <= {file.name for file in Path(STORE).glob("*.py")}
