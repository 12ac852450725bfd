"""One palette and one type scale for every page: words can be read in both schemes; no page has colours of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.settings import ROOT
from bot.web import SHARED

TOKENS = SHARED["tokens.css"]
SHEETS = sorted(
    path for folder in ("bot", "connectors", "handoff") for path in (ROOT / folder).rglob("*.css") if path != TOKENS
)
SCHEMES = ("light", "dark")
LEAST = 4.5
"""The contrast of words that WCAG 2 AA asks for. To one."""
LEAST_OUTLINE = 3.0
"""Of the outline of a control."""

# The colour of words, and everything that they stand on in some page.
ON = {
    "ink": "backdrop ground surface raised chip accent-soft human-soft good-soft hot-soft bad-soft",
    "quiet": "ground surface raised chip accent-soft",
    "accent": "ground surface raised accent-soft",
    "on-accent": "accent-fill accent-fill-hover",
    "on-brand": "brand-from brand-to",
    "bot-ink": "ground surface raised",
    "agent-ink": "ground surface raised",
    "note-ink": "note surface ground raised",
    "note": "note-ink",
    "mark-ink": "mark",
    "human": "human-soft surface",
    "surface": "human alarm bad",
    "bad": "surface ground raised bad-soft",
    "good": "surface good-soft",
    "hot": "surface ground hot-soft",
    **{f"face-{number}-ink": f"face-{number}" for number in range(6)},
}
PAIRS = [(words, ground) for words, grounds in ON.items() for ground in grounds.split()]

_COLOUR = re.compile(
    r"#[0-9a-f]{3,8}\b|\b(?:rgb|rgba|hsl|hsla|hwb|lab|lch|oklab|oklch)\("
    r"|(?<![-\w.])(?:white|black|red|blue|green|grey|gray)\b(?!-)",
    re.IGNORECASE,
)
_SIZE = re.compile(r"font(?:-size)?:\s*(?!var\(--text-|inherit|[\d.]+em\b|0[;\s}])[\d.]")


def declared(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", css))


def tokens(scheme: str) -> dict[str, str]:
    light, _, dark = TOKENS.read_text(encoding="utf-8").partition("@media (prefers-color-scheme: dark)")
    return declared(light) | (declared(dark) if scheme == "dark" else {})


def luminance(colour: str) -> float:
    """Of ``#rrggbb``, as WCAG 2 defines it."""
    assert re.fullmatch("#[0-9a-f]{6}", colour), colour
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def mixed(one: str, other: str, share: float) -> str:
    """``share`` of one colour over the other."""
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(over * share + under * (1 - share)):02x}" for over, under in pairs)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("words", "ground"), PAIRS)
def test_words_can_be_read(scheme: str, words: str, ground: str) -> None:
    palette = tokens(scheme)
    assert contrast(palette[words], palette[ground]) >= LEAST, f"{palette[words]} on {palette[ground]}"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bubble", ["customer", "bot", "agent", "note"])
def test_what_lies_on_a_bubble_can_be_read(scheme: str, bubble: str) -> None:
    """A file or a quotation within a message stands on a shade of the bubble: ``color-mix`` with some of the ink."""
    shades = re.findall(r"color-mix\(in srgb, var\(--ink\) (\d+)%, transparent\)", "".join(map(Path.read_text, SHEETS)))
    assert shades
    palette = tokens(scheme)
    for shade in map(int, shades):
        ground = mixed(palette["ink"], palette[bubble], shade / 100)
        for words in ("ink", "quiet", "bad"):
            assert contrast(palette[words], ground) >= LEAST, f"{words} on {shade} %"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_outline_of_a_field_can_be_seen(scheme: str) -> None:
    palette = tokens(scheme)
    assert contrast(palette["edge"], palette["surface"]) >= LEAST_OUTLINE


def test_the_dark_scheme_has_a_colour_for_every_light_one_that_would_glare() -> None:
    dark = declared(TOKENS.read_text(encoding="utf-8").partition("@media (prefers-color-scheme: dark)")[2])
    light = tokens("light")
    assert dark.keys() <= light.keys(), "a token of the dark scheme alone"
    colours = {name for name, value in light.items() if value.startswith("#")}
    assert colours - dark.keys() == {"on-accent", "brand-from", "brand-to", "on-brand", "screen"}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_page_has_no_colour_and_no_text_size_of_its_own(sheet: Path) -> None:
    css = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    values = "\n".join(re.findall(r"[\w-]+:[^;{}]+[;}]", css))
    assert not _COLOUR.findall(values)
    assert not _SIZE.findall(css)
    known = tokens("light").keys() | declared(css).keys()
    assert set(re.findall(r"var\(--([\w-]+)", css)) <= known, "a variable that nothing declares"


def test_there_are_style_sheets_to_look_at() -> None:
    assert {"base.css", "chat.css"} <= {sheet.name for sheet in SHEETS}


def test_the_browsers_own_bar_has_the_colour_of_the_chats_head() -> None:
    page = (ROOT / "connectors/web/templates/chat.html").read_text(encoding="utf-8")
    named = dict(re.findall(r'"theme-color" content="(#\w+)" media="\(prefers-color-scheme: (\w+)\)"', page))
    assert named == {tokens(scheme)["surface"]: scheme for scheme in SCHEMES}
