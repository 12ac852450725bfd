"""Configuration: what is wrong is named with its line and the fix."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, ConfigDict

from bot.settings import ROOT, SettingsError, load


class Telegram(BaseModel):
    model_config = ConfigDict(extra="forbid")
    enabled: bool = True
    base_url: str = "x"


CHANNELS: dict[str, type[BaseModel]] = {"telegram": Telegram}
SECRETS = {"telegram": "TELEGRAM_BOT_TOKEN"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWITCHBOARD_CONFIG", "SWITCHBOARD_VAR", "HOST", "PORT", "DATABASE_URL", "TELEGRAM_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("brand:\n  nmae: X\n", "line 2: brand.nmae: unknown key; did you mean name? Allowed here: crisis, "),
        ("brnad: {}\n", "line 1: brnad: unknown key; did you mean brand?"),
        ("channels:\n  telegrm: {}\n", "line 2: channels.telegrm: unknown key; did you mean telegram?"),
        (
            "channels:\n  telegram:\n    base_urls: y\n",
            "line 3: channels.telegram.base_urls: unknown key; did you mean base_url?",
        ),
        ("channels:\n  telegram:\n    token: '1:a'\n", "secrets come from the environment (TELEGRAM_BOT_TOKEN)"),
        (
            "channels:\n  telegram:\n    enabled: maybe\n",
            "line 3: channels.telegram.enabled: Input should be a valid boolean",
        ),
        ("promises:\n  response_hours: soon\n", "line 2: promises.response_hours: Input should be a valid integer"),
        ("promises:\n  response_hours: -1\n", "greater than 0"),
        ("locales:\n  default: fr\n  available: [en]\n", "locales.default: fr is not one of locales.available"),
        ("- a\n- b\n", "must be a map of sections"),
        ("brand: [\n", "not valid YAML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(CHANNELS, SECRETS, config(tmp_path, text))
    assert expected in str(error.value)
    assert "config.yml" in str(error.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(CHANNELS, SECRETS, config(tmp_path, "a: 1\nb: 2\n"))
    assert str(error.value).count("unknown key") == 2


def test_a_secret_in_the_file_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as error:
        load(CHANNELS, SECRETS, config(tmp_path, "channels:\n  telegram:\n    token: '12:verysecret'\n"))
    assert "verysecret" not in str(error.value)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    settings = load(CHANNELS, SECRETS, config(tmp_path, ""))
    assert settings.channel("telegram").enabled
    assert (settings.environment.host, settings.environment.port) == ("127.0.0.1", 8080)


def test_a_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no configuration file"):
        load(CHANNELS, SECRETS, tmp_path / "missing.yml")
    monkeypatch.setenv("SWITCHBOARD_CONFIG", str(tmp_path / "missing.yml"))
    with pytest.raises(SettingsError, match="no configuration file"):
        load(CHANNELS, SECRETS)


def test_the_environment_has_the_machine_and_the_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("SWITCHBOARD_VAR", str(tmp_path / "state"))
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", " 1:abc ")
    settings = load(CHANNELS, SECRETS, config(tmp_path, ""))
    assert settings.environment.port == 9000
    assert settings.var == tmp_path / "state"
    assert settings.secrets == {"TELEGRAM_BOT_TOKEN": "1:abc"}


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SettingsError, match=r"environment variable PORT: .*integer"):
        load(CHANNELS, SECRETS)


def test_content_is_found_beside_the_file(tmp_path: Path) -> None:
    assert load(CHANNELS, SECRETS, config(tmp_path, "data: words\n")).data == tmp_path / "words"


def test_every_setting_is_documented() -> None:
    from bot.settings import Config, Environment
    from switchboard.plugins import installed

    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sections: dict[str, type[BaseModel]] = {
        name: one
        for name, field in Config.model_fields.items()
        for one in (field.annotation, *get_args(field.annotation))
        if isinstance(one, type) and issubclass(one, BaseModel)
    }
    sections |= {f"channels.{name}": plugin.settings for name, plugin in installed().items()}
    sections |= {
        f"{name}.{key}.<name>": one
        for name, section in list(sections.items())
        for key, field in section.model_fields.items()
        for one in get_args(field.annotation)[1:]
        if isinstance(one, type) and issubclass(one, BaseModel)
    }
    keys = {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}
    keys |= {name for name in Config.model_fields if name not in sections and name != "channels"}
    keys |= {name.upper() for name in Environment.model_fields}
    keys |= {plugin.secret_variable for plugin in installed().values() if plugin.secret_variable}
    assert sorted(key for key in keys if f"`{key}`" not in text) == []


def test_apps_have_their_secrets_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from switchboard.plugins import access, has_secret, installed, load_settings, unset

    api = installed()["api"]
    assert unset(load_settings(config(tmp_path, "")), "api", api) == []
    text = "channels:\n  api:\n    apps: {line-oa: {}, wallet: {}}\negress: {allow: [10.0.0.0/8]}\n"
    off = load_settings(config(tmp_path, text))
    assert not has_secret(off, "api", api)
    assert "API_CHANNEL_SECRET_LINE_OA" in unset(off, "api", api)
    monkeypatch.setenv("API_CHANNEL_SECRET_LINE_OA", "whsec_a")
    monkeypatch.setenv("API_CHANNEL_OLD_SECRET_LINE_OA", "whsec_b")
    settings = load_settings(config(tmp_path, text))
    assert has_secret(settings, "api", api)
    given = access(settings, "api", api)
    assert set(given.secrets.values()) == {"whsec_a", "whsec_b"} <= set(settings.secrets.values())
    assert given.egress == ("10.0.0.0/8",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("egress: {allow: ['10.0.0.0/33']}", "egress.allow"),
        ("egress: {allow: ['http://x']}", "egress.allow"),
        ("channels: {api: {apps: {X: {}}}}", "channels.api.apps"),
        ("channels: {api: {apps: {x: {webhook_url: nowhere}}}}", "webhook_url"),
        ("channels: {api: {apps: {x: {secret: whsec_abc}}}}", "environment"),
    ],
)
def test_what_is_wrong_with_egress_and_apps_is_named(tmp_path: Path, text: str, expected: str) -> None:
    from switchboard.plugins import load_settings

    with pytest.raises(SettingsError) as error:
        load_settings(config(tmp_path, text))
    assert expected in str(error.value)
    assert "whsec_abc" not in str(error.value)
