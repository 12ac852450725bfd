"""What agents and other systems of the deployment write: searched as customers' words are, and refused where those are
given a label. Who writes is there to write it without."""

from __future__ import annotations

from collections.abc import Collection

from bot.domain.message import Cleared, ClearedWords, File
from bot.domain.said import Fault, Refusal, Said
from bot.domain.secret import SecretKind
from bot.guard import secrets
from bot.guard.files import cleared_file
from bot.guard.secrets import Certainty, Known


class SecretInWords(Refusal):
    """The words hold secrets of these ``kinds``. Nothing of the words themselves is in here."""

    def __init__(self, kinds: Collection[SecretKind], file: str = "") -> None:
        """``file`` names the one that it is in, where its name is no secret itself."""
        self.kinds = tuple(kind for kind in SecretKind if kind in kinds)
        worst = self.kinds[0]
        what = Fault(str(worst).replace("_", " "), Said(f"secret.kind.{worst}"))
        where = f"the file {file}" if file else "the text"
        values = {"what": what, "name": file} if file else {"what": what}
        words = f"{where} holds {what} of a customer: ask them never to send it, and write without it"
        super().__init__(words, "refusal.secret_in_file" if file else "refusal.secret", **values)


def kinds_in(text: str, lets_pass: Collection[SecretKind] = frozenset()) -> frozenset[SecretKind]:
    """The kinds of secret that the text holds for sure. 64 bare hexadecimal digits are none: agents quote transaction
    hashes."""
    # Bold words of Markdown look like passwords: "your password **must** be long".
    found = secrets.search([text.replace("**", "")], Known(off=frozenset(lets_pass))).findings
    return frozenset(one.kind for one in found if one.certainty is not Certainty.DOUBTFUL)


def cleared_words(text: Cleared, lets_pass: Collection[SecretKind] = frozenset()) -> ClearedWords:
    """Raises ``SecretInWords``."""
    if kinds := kinds_in(text, lets_pass):
        raise SecretInWords(kinds)
    return ClearedWords(text)


def check_file(file: File, lets_pass: Collection[SecretKind] = frozenset()) -> None:
    """Raises ``SecretInWords`` where the file's name holds a secret, or its content, if that can be read."""
    if kinds := kinds_in(file.name, lets_pass):
        raise SecretInWords(kinds)
    _, found = cleared_file(file.content, lets_pass)
    if kinds := frozenset(one.kind for one in found.removed if not one.doubtful):
        raise SecretInWords(kinds, file.name)
