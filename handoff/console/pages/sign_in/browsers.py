"""What browsers say they are, in a few words that people recognise."""

from __future__ import annotations

# What a browser pretends to be as well stands behind what it is.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("MicroMessenger", "WeChat"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
MOST = 40


def browser_of(user_agent: str) -> str:
    """``Firefox on Windows``; of a browser that nobody here knows, the beginning of what it says. Never over ``MOST``
    characters, and none that are not to be seen."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    said = "".join(character for character in user_agent[:MOST] if character.isprintable()).strip()
    return said or "unknown browser"
