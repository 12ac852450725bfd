"""What the pages promise: links lead somewhere, decisions have one form and one index, no licence and no word lacks."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest

from bot.ports import Connector, ConnectorContext, Plugin, Routes

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "benchmarks").rglob("*.md"),
        *(ROOT / "tests").rglob("*.md"),
        ROOT / "data" / "README.md",
    ]
)
DECISION_PAGES = sorted(DECISIONS.glob("[0-9]*.md"))
HEADINGS = ["Context", "Decision", "Refused"]
GROUPS = {"Added", "Changed", "Deprecated", "Fixed", "Removed", "Security"}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its code, in which brackets and hashes mean other things."""
    text = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "code", text)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and most readers give to a page's headings."""
    text = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    seen: dict[str, int] = {}
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return found


def broken(page: Path) -> list[str]:
    """The relative links of a page that lead to no file, or to no heading of it."""
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and (file.suffix != ".md" or anchor not in anchors(file))):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_to_a_file_and_its_heading(page: Path) -> None:
    assert broken(page) == []


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A `word`, twice\n## A word twice\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#a-word-twice) [c](there.md#a-word-twice-1) [d](https://x.org/y) `[e](no.md)`\n"
        "[f](gone.md) [g](there.md#no-heading) [h](#here)\n"
    )
    assert broken(page) == ["gone.md", "there.md#no-heading", "#here"]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_a_page_names_in_docs_exist(page: Path) -> None:
    mentioned = re.findall(r"\bdocs/[\w./-]+\.md\b", page.read_text(encoding="utf-8"))
    assert [name for name in mentioned if not (ROOT / name).is_file()] == []


def test_code_and_configuration_name_pages_that_exist() -> None:
    folders = ["bot", "benchmarks", "connectors", "data", "handoff", "intents", "scripts", "switchboard", "tests"]
    wrong = []
    for folder in folders:
        for file in (ROOT / folder).rglob("*"):
            if file.suffix not in {".py", ".yml", ".html", ".js"} or ".venv" in file.parts or file == Path(__file__):
                continue
            for name in re.findall(r"\bdocs/[\w./-]*\w", file.read_text(encoding="utf-8")):
                if not (ROOT / name).exists() and not list(ROOT.glob(f"{name}*")):
                    wrong.append(f"{named(file)}: {name}")
    assert wrong == []


def test_paths_that_pages_name_exist() -> None:
    """In changelog and superseded decisions they are those of their day, in the walks some are to be made."""
    tops = "benchmarks|bot|connectors|handoff|intents|requirements|scripts|switchboard|tests"
    wrong = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if page.name == "CHANGELOG.md" or (page in DECISION_PAGES and superseded_by(head(page)["status"])):
            continue
        for path in re.findall(rf"`((?:{tops})/[\w./-]+)`", text):
            if not (ROOT / path).exists() and not re.search("NNNN|/echo/|/greetings/", path):
                wrong.append(f"{named(page)}: {path}")
    assert wrong == []


def test_the_walk_of_a_channel_gives_a_connector() -> None:
    walks = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = (code for code in re.findall(r"^   ```python\n(.*?)^   ```", walks, re.M | re.S) if "Plugin(" in code)
    walked: dict[str, Any] = {}
    exec(textwrap.dedent(code), walked)
    plugin = walked["plugin"]
    assert isinstance(plugin, Plugin)
    connector = plugin.build(plugin.settings(), cast(ConnectorContext, None))
    assert isinstance(connector, Connector)
    assert isinstance(connector, Routes)


# --- decisions ------------------------------------------------------------------------------------


def head(page: Path) -> dict[str, str]:
    """Title, date and status of a decision."""
    match = re.match(
        r"# (?P<number>\d{4})\. (?P<title>.+)\n\n- Date: (?P<date>.+)\n- Status: (?P<status>.+)\n\n## ",
        page.read_text(encoding="utf-8"),
    )
    assert match, f"{page.name} begins otherwise than the decisions do: title, date, status"
    return match.groupdict()


def superseded_by(status: str) -> str | None:
    match = re.fullmatch(r"superseded by \[\d{4}\]\((.+\.md)\)", status)
    return match[1] if match else None


@pytest.mark.parametrize("page", DECISION_PAGES, ids=lambda page: page.stem[:4])
def test_a_decision_has_its_form(page: Path) -> None:
    said = head(page)
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", page.stem)
    assert page.stem.startswith(said["number"] + "-")
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", said["date"])
    parts = re.split(r"^## (.+)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert parts[1::2] == HEADINGS
    assert all(text.strip() for text in parts[2::2]), "an empty part"


@pytest.mark.parametrize("page", DECISION_PAGES, ids=lambda page: page.stem[:4])
def test_a_superseded_decision_names_the_later_one(page: Path) -> None:
    status = head(page)["status"]
    if status.startswith("accepted"):
        assert re.fullmatch(r"accepted(; supersedes (\[\d{4}\]\([^)]+\.md\)(, )?)+)?", status)
        for earlier in re.findall(r"\(([^)]+\.md)\)", status):
            assert superseded_by(head(DECISIONS / earlier)["status"]) == page.name
        return
    later = superseded_by(status)
    assert later, f"the status of {page.name} is neither accepted nor superseded by a page"
    assert (DECISIONS / later).is_file()
    assert later > page.name
    assert f"]({page.name})" in head(DECISIONS / later)["status"], f"{later} does not say what it supersedes"


def test_decisions_are_numbered_without_gap_or_double() -> None:
    assert [page.stem[:4] for page in DECISION_PAGES] == [f"{n:04d}" for n in range(1, len(DECISION_PAGES) + 1)]


def test_the_index_has_every_decision_as_its_page_says() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\((.+?\.md)\) \| (.+) \| (\S+) \| (.+) \|$", index, re.MULTILINE)
    expected = []
    for page in DECISION_PAGES:
        said = head(page)
        status = "accepted" if said["status"].startswith("accepted") else said["status"]
        expected.append((said["number"], page.name, said["title"], said["date"], status))
    assert rows == expected


# --- changelog, licences, glossary ------------------------------------------------------------------


def test_the_changelog_is_by_version_and_knows_the_one_that_is_built() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(?:Unreleased\] (\S+)|(\S+)\] - \d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    assert len(versions) == len(re.findall(r"^## ", text, re.MULTILINE)), "a version's heading is written otherwise"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "".join(versions[0]) == project["version"]
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= GROUPS


def test_every_pinned_package_has_a_licence() -> None:
    said = dict(
        re.findall(r"^\| `(\S+)` \| (.+) \|$", (DOCS / "licences.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    pins = [*(ROOT / "requirements").glob("*.txt"), ROOT / "intents" / "server" / "requirements.txt"]
    names = {
        re.sub(r"[-_.]+", "-", name).lower()
        for file in pins
        for name in re.findall(r"^([A-Za-z0-9_.-]+)==", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    names |= set(re.findall(r'"node_modules/(?!.*node_modules/)([^"]+)": ', (ROOT / "package-lock.json").read_text()))
    assert len(names) > 200
    assert sorted(names - said.keys()) == [], "run scripts/licences.py"


def entries() -> list[tuple[str, str]]:
    """The glossary's terms with what is said of them."""
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"^\*\*(.+?)\*\* – (.+)$", text, re.MULTILINE)


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    terms = [term for term, _ in entries()]
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert len(terms) == len(re.findall(r"^\*\*", text, re.MULTILINE)), "an entry is written otherwise"
    assert terms == sorted(set(terms), key=str.lower)


def test_the_glossary_avoids_no_word_that_it_defines() -> None:
    terms = {term.lower() for term, _ in entries()}
    avoided = [word for _, said in entries() for word in re.findall(r"“([^”]+)”", "".join(said.split("Not: ")[1:]))]
    assert avoided
    assert sorted(set(avoided) & terms) == []
    assert len(avoided) == len(set(avoided)), "a word is avoided for two terms: which one does it mean?"
