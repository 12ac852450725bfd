"""The models of this machine: which there are, which one is live, and which may go."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

if sys.platform != "win32":
    import fcntl

log = structlog.get_logger(__name__)

KEPT_MODELS = 3
"""The newest ones: enough to go back and forth between versions of the content without training. The live one,
the one before it and those in use are kept besides."""

_SUFFIX = ".tar.gz"
_ABANDONED = 24 * 3600.0
"""Seconds after which a file that nobody finished is nobody's any more."""


class ModelError(Exception):
    """No such model, or none that can be used; the message says what to do."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)


class Live(_Stored):
    """Which model answers customers, and how that came about."""

    model: str
    content: str
    """The hash of the content for which this was decided. For another content it is decided anew."""
    previous: str | None = None
    """The model that was live before it, if any."""
    since: datetime
    why: str


class Guess(_Stored):
    """What a model made of one text."""

    intent: str
    confidence: float
    sure: bool


class Measured(_Stored):
    """What a model made of the regression file, text by text, so that any part of it can be counted later."""

    code: str
    """The hash of the components that ran it: others may make something else of the same model."""
    guesses: dict[str, Guess]


class ModelInfo(_Stored):
    """What is known of a model beside its file. A model that was copied here has no more than its file."""

    content: str
    """The hash of what it was made from."""
    trained: datetime
    seconds: float | None = None
    examples: int | None = None
    intents: int | None = None
    measured: Measured | None = None


class ModelStore:
    """A folder of models: ``<hash>.tar.gz`` with ``<hash>.json`` beside it, and ``live.json``, which names the live
    one. A model's name is the hash of the content it was made from.

    Holds nothing in memory, so that any number of processes may have one each; every file is replaced in one step.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, model: str) -> Path:
        return self.folder / f"{model}{_SUFFIX}"

    def has(self, model: str) -> bool:
        return self.path(model).exists()

    def models(self) -> list[str]:
        """All of them, the latest trained or asked for first."""
        dated = []
        for path in self.folder.glob(f"[!.]*{_SUFFIX}"):
            with suppress(FileNotFoundError):
                dated.append((path.stat().st_mtime_ns, path.name.removesuffix(_SUFFIX)))
        return [name for _, name in sorted(dated, reverse=True)]

    def find(self, name: str) -> str:
        """The one model that ``name`` means: the beginning of its hash, ``live`` or ``previous``.

        Raises ``ModelError``.
        """
        models = self.models()
        if name in ("live", "previous"):
            live = self.live()
            found = live and (live.model if name == "live" else live.previous)
            if found is None:
                raise ModelError(f"There is no {name} model yet.")
            if found not in models:
                raise ModelError(f"The {name} model {found} is gone from {self.folder}.")
            return found
        begin = [model for model in models if name and model.startswith(name.lower())]
        match begin:
            case [model]:
                return model
            case []:
                there = f"There are: {', '.join(models)}." if models else "There is none at all: `switchboard train`."
                raise ModelError(f"There is no model {name!r}. {there}")
            case _:
                raise ModelError(f"{name!r} may be {' or '.join(begin)}: write more of it.")

    def live(self) -> Live | None:
        """The live model, None before the first one. Its file may be gone. Raises ``ModelError``."""
        path = self.folder / "live.json"
        try:
            return Live.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            # Too many open files, a disk that fails: what it says may be as good as ever.
            raise ModelError(f"{path} cannot be read right now: {error.strerror}.") from None
        except ValidationError:
            raise ModelError(
                f"{path} cannot be read. `switchboard models use <hash>` writes it anew; without it, the next start"
                " makes the model of the content live."
            ) from None

    def make_live(self, model: str, content: str, why: str) -> Live:
        """From now on ``model`` is the live one for ``content``. Running desks follow by themselves."""
        before: Live | None = None
        with suppress(ModelError):
            before = self.live()
        previous = None if before is None else before.previous if before.model == model else before.model
        live = Live(model=model, content=content, previous=previous, since=datetime.now(UTC), why=why)
        _replace(self.folder / "live.json", live.model_dump_json(indent=2))
        return live

    def info(self, model: str) -> ModelInfo:
        """What is known of ``model``, which exists."""
        path = self.folder / f"{model}.json"
        try:
            return ModelInfo.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValidationError):
            # Figures can be measured again; nothing in there is worth a desk that does not start.
            log.warning("what was known of a model cannot be read", action="model_info_lost", path=str(path))
        return ModelInfo(content=model, trained=datetime.fromtimestamp(self.path(model).stat().st_mtime, UTC))

    def keep_info(self, model: str, info: ModelInfo) -> None:
        _replace(self.folder / f"{model}.json", info.model_dump_json())

    @contextmanager
    def adding(self, model: str) -> Iterator[Path]:
        """A path to write a new model to. It becomes ``model`` when the context ends well, and goes otherwise."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{os.getpid()}-{model}{_SUFFIX}"
        try:
            yield unfinished
            unfinished.replace(self.path(model))
        finally:
            unfinished.unlink(missing_ok=True)

    def remove_old(self) -> None:
        """Removes all models but the live one, the one before it, the newest, and those that a process has ``held``."""
        try:
            live = self.live()
        except ModelError:
            # Then nobody knows which one must stay.
            return
        models = self.models()
        kept = {*models[:KEPT_MODELS], *([live.model, live.previous] if live else [])}
        for model in models:
            if model not in kept:
                _remove(self.path(model), self.folder / f"{model}.json")
        for path in self.folder.glob(".*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """While entered, no process removes the model at ``path``; the end of this process, by whatever death, lets go.

    Raises ``OSError`` if it is not there.
    """
    with path.open("rb") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_SH)
        # Windows removes no file that is open.
        yield


def _remove(path: Path, *beside: Path) -> None:
    try:
        with path.open("rb") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    except (BlockingIOError, PermissionError):
        return
    for other in beside:
        other.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    """Writes ``path`` in one step: whoever reads it gets all of the old or all of the new, after a power cut too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{os.getpid()}-{token_hex(4)}-{path.name}")
    try:
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
