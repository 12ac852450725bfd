"""How passwords are kept. The module is loaded anew: the tests' own is in a hurry."""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def passwords() -> ModuleType:
    spec = find_spec("handoff.passwords")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    assert module is not sys.modules.get("handoff.passwords")
    spec.loader.exec_module(module)
    return module


async def test_a_hash_costs_whoever_guesses_time_and_memory(passwords: ModuleType) -> None:
    kept = await passwords.hash_password("correct horse")
    # RFC 9106, second recommended option: 64 MiB, three passes, four lanes.
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.verify_password(kept, "correct horse")
    assert not await passwords.verify_password(kept, "correct horses")
    assert not await passwords.verify_password("no hash", "correct horse")


@pytest.mark.parametrize("length", [9, 1001])
async def test_too_short_and_absurdly_long(passwords: ModuleType, length: int) -> None:
    with pytest.raises(ValueError, match=r"at (least|most)"):
        await passwords.hash_password("x" * length)
