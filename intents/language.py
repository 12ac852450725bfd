"""Which language a customer writes: the script where it says so, else common English words, else lingua."""

from __future__ import annotations

import re
from functools import cache

from lingua import Language, LanguageDetector, LanguageDetectorBuilder

_LANGUAGES = (
    *(Language.ENGLISH, Language.SPANISH, Language.FRENCH, Language.GERMAN, Language.PORTUGUESE, Language.ITALIAN),
    *(Language.TURKISH, Language.VIETNAMESE, Language.INDONESIAN, Language.RUSSIAN, Language.UKRAINIAN),
    *(Language.ARABIC, Language.PERSIAN, Language.HINDI, Language.THAI, Language.KOREAN),
)

_KANA = re.compile(r"[\u3041-\u309f\u30a1-\u30fa]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[a-z\u00c0-\u024f\u1e00-\u1eff]", re.IGNORECASE)

# "forgot my pasword" is Italian to a detector that counts letters. These words are English and, in
# this spelling, no frequent word of the other languages above.
_ENGLISH = re.compile(
    r"\b(the|my|how|what|where|when|why|who|you|your|is|are|not|can|cant|dont|it|this|that|with|and|have|get|got|need"
    r"|please|for|from|of|they|does|did|there|been|be|would|should|if|out)\b",
    re.IGNORECASE,
)

_ENOUGH_LETTERS = 10
_ENOUGH_CONFIDENCE = 0.8


def detect(text: str, hint: str | None = None) -> str | None:
    """The two-letter code of the language of ``text``.

    Too little to tell (an emoji, a number, "ok", "kyc?") gives the language of ``hint``, a code such as
    ``zh-hans``, or None without one. One Han character makes a text Chinese, since Chinese customers mix
    in English and hardly anybody the reverse; enough kana makes it Japanese.
    """
    han, kana = len(_HAN.findall(text)), len(_KANA.findall(text))
    if han or kana:
        # A lone の is fashionable in Chinese.
        return "ja" if kana * 4 >= han else "zh"
    letters = len(_LETTER.findall(text))
    if not letters:
        return _primary(hint)
    latin = len(_LATIN.findall(text)) * 2 > letters
    if latin and text.isascii() and _ENGLISH.search(text):
        return "en"
    best = _detector().compute_language_confidence_values(text)[0]
    # Few languages share another script: there the better one will do.
    if best.value < (_ENOUGH_CONFIDENCE if latin else 0.5) or (latin and letters < _ENOUGH_LETTERS):
        return _primary(hint)
    return best.language.iso_code_639_1.name.lower()


def _primary(hint: str | None) -> str | None:
    return hint.replace("_", "-").partition("-")[0].lower() if hint else None


@cache
def _detector() -> LanguageDetector:
    # Low accuracy costs 20 MB instead of 330 and errs on short texts only, for which the hint is better anyway.
    return LanguageDetectorBuilder.from_languages(*_LANGUAGES).with_low_accuracy_mode().build()
