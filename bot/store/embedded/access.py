"""Who may use the embedded PostgreSQL: its own user and root, as the kernel says who they are; nobody else, and nobody
by the network. Without Unix sockets (Windows) it is whoever has the password, which lies beside the data folder."""

from __future__ import annotations

import secrets
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from bot.store.embedded import files
from bot.store.embedded.account import Account, root_name

ROLE = "postgres"
HOST = "127.0.0.1"
_HEAD = "# Switchboard writes this file whenever it starts. For a server with rules of your own: DATABASE_URL.\n"
_MAP = "switchboard"
_OURS = f"local all all peer map={_MAP}"
RULES = "pg_hba.conf"
NAMES = "pg_ident.conf"


def peers(account: Account) -> dict[str, str]:
    """Both files, by their names in the data folder. The two may be any role: as its superuser they are already."""
    allowed = dict.fromkeys((root_name(), account.name))
    lines = (f'{_MAP} "{name.replace(chr(34), chr(34) * 2)}" all\n' for name in allowed if name)
    return {RULES: f"{_HEAD}{_OURS}\n", NAMES: _HEAD + "".join(lines)}


def password_only() -> dict[str, str]:
    return {RULES: f"{_HEAD}host all {ROLE} {HOST}/32 scram-sha-256\n", NAMES: _HEAD}


def anybody_here() -> dict[str, str]:
    """For the moment in which a server that was made without a password gets one."""
    return {RULES: f"{_HEAD}host all {ROLE} {HOST}/32 trust\n", NAMES: _HEAD}


def open_rules(folder: Path) -> list[str]:
    """The rules in force that are not this desk's."""
    lines = (line.strip() for line in (files.read(folder / RULES) or "").splitlines())
    return [line for line in lines if line and not line.startswith("#") and line != _OURS]


def apply(folder: Path, rules: dict[str, str]) -> bool:
    """Whether anything was different."""
    changed = [name for name, text in rules.items() if files.read(folder / name) != text]
    for name in changed:
        files.write(folder / name, rules[name])
    return bool(changed)


def holds(folder: Path, rules: dict[str, str]) -> bool:
    return all(files.read(folder / name) == text for name, text in rules.items())


def new_password(file: Path) -> str:
    password = secrets.token_urlsafe(32)
    files.write(file, f"{password}\n")
    return password


def set_password(port: int, password: str) -> None:
    with psycopg.connect(host=HOST, port=port, user=ROLE, dbname="postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(password)))


def socket_url(folder: Path, port: int, account: Account) -> str:
    # Should somebody else ever listen under this name, nothing is said to them.
    query = {"requirepeer": account.name} if account.name else {}
    address = URL.create(
        "postgresql", ROLE, "", database="postgres", query={"host": str(folder), "port": str(port), **query}
    )
    return address.render_as_string(hide_password=False)


def network_url(port: int, password: str) -> str:
    address = URL.create("postgresql", ROLE, password, HOST, port, "postgres")
    return address.render_as_string(hide_password=False)
