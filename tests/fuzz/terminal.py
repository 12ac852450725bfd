"""What a terminal writes to the desk's socket."""

from __future__ import annotations

from tests.fuzz.hostile import WORDS, Examples

GREETINGS = Examples(
    (
        {"hello": {"after": 0, "name": "anna"}},
        {"hello": {}},
        {"hello": {"after": 7}, "unknown": WORDS},
    )
)
LINES = Examples(
    (
        {"id": "5b0e8f0e-4242424242", "text": f"{WORDS} how long does a transfer take?"},
        {"id": "6b0e8f0e-4242424242", "text": "/human"},
        {"id": "7b0e8f0e-4242424242", "button": "helped:yes", "label": "Yes"},
        {"id": "8b0e8f0e-4242424242", "button": "topic:transfer_delay", "label": WORDS},
        {"hello": {"after": 0}},
    )
)
