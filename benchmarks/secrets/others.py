"""The rules of others beside ours, where their packages are installed: detect-secrets, and Presidio's recognisers.

Neither is a package of the desk. Presidio's run without a language model: those that work by pattern and checksum.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Search = Callable[[list[str]], tuple[str, ...]]


def available() -> dict[str, Search]:
    found: dict[str, Search] = {}
    for name, build in (("detect-secrets", _detect_secrets), ("Presidio", _presidio)):
        try:
            found[name] = build()
        except ImportError:
            continue
    return found


def _detect_secrets() -> Search:
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    def search(texts: list[str]) -> tuple[str, ...]:
        redacted = []
        with default_settings(), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "message.txt"
            for text in texts:
                file.write_text(text, encoding="utf-8", errors="replace")
                for secret in list(scan_file(str(file))):
                    if secret.secret_value:
                        text = text.replace(secret.secret_value, "[secret removed]")
                redacted.append(text)
        return tuple(redacted)

    return search


def _presidio() -> Search:
    from presidio_analyzer import predefined_recognizers as known

    recognisers: list[Any] = [known.CreditCardRecognizer(), known.CryptoRecognizer()]

    def search(texts: list[str]) -> tuple[str, ...]:
        redacted = []
        for text in texts:
            spans = [
                (found.start, found.end)
                for recogniser in recognisers
                for found in recogniser.analyze(text, recogniser.supported_entities, None)
            ]
            for start, end in sorted(spans, reverse=True):
                text = f"{text[:start]}[removed]{text[end:]}"
            redacted.append(text)
        return tuple(redacted)

    return search
