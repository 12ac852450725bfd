"""The Rasa side's text normalisation, loaded by path: it lives in another environment."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location

import pytest

from intents.paths import SERVER

_spec = spec_from_file_location("components_text", SERVER / "components" / "text.py")
assert _spec is not None
assert _spec.loader is not None
text = module_from_spec(_spec)
_spec.loader.exec_module(text)


@pytest.mark.parametrize(
    ("typed", "embedded"),
    [
        ("  hello \n\t world ", "hello world"),
        ("ＵＳＤＴ没到账！！！！", "USDT没到账!!"),
        ("heeeeelp meee", "heelp mee"),
        ("哈哈哈哈哈", "哈哈"),
        ("sent 100000 usdt", "sent 100000 usdt"),
        ("ze\u200bro\ufeff width", "zero width"),
        ("／greet", "/greet"),
        ("到帳", "到帳"),
        ("", ""),
        ("ab" * 400, "ab" * 256),
    ],
)
def test_one_spelling(typed: str, embedded: str) -> None:
    assert text.normalise(typed) == embedded
