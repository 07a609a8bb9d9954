"""The configuration file: what it takes, and every fault in it at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from adapters.settings import MatrixSettings, TelegramSettings, WebhookSettings
from bot.config import Config, LogSettings, MonitoringSettings, load, secrets_of
from bot.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[1] / "config.example.yaml"
ENVIRONMENT = {
    "TELEGRAM_TOKEN": "123456:telegram-token",
    "TELEGRAM_WEBHOOK_SECRET": "hook_secret",
    "MATRIX_PASSWORD": "matrix-password",
    "MATRIX_ACCESS_TOKEN": "matrix-access-token",
}
# As the issue spells it: braces in braces, which YAML alone would not read.
ISSUE = """
database: sqlite:///dpool.db
timezone: Europe/Berlin          # default for new pools
language: en
telegram: {token: ${TELEGRAM_TOKEN}, api_url: https://api.telegram.org, webhook: {url: https://example.org/hook,
           secret: abc-1_2, listen: 127.0.0.1:8443}}
matrix: {homeserver: https://matrix.example.org, user: "@pool:example.org", password: p, access_token: t,
         store: ./matrix-store, allow_invites_from: ["*:example.org"]}
"""
MATRIX = 'matrix: {homeserver: https://m.example.org, user: "@p:example.org", password: p'


def read(folder: Path, text: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, ENVIRONMENT)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        read(folder, text)
    return [line.removeprefix(f"{folder / 'config.yaml'}").removeprefix(": ") for line in caught.value.lines]


def test_all_keys_are_taken(tmp_path: Path) -> None:
    config = read(tmp_path, ISSUE)
    assert config.telegram is not None
    assert config.telegram.webhook is not None
    assert config.matrix is not None
    assert config.telegram.token.get_secret_value() == "123456:telegram-token"
    assert config.telegram.webhook.listen == "127.0.0.1:8443"
    assert config.matrix.store == Path("matrix-store")
    assert config.matrix.allow_invites_from == ("*:example.org",)


@pytest.mark.parametrize("text", ["", "# nothing\n", "telegram:\nmatrix:\n"])
def test_nothing_is_needed(tmp_path: Path, text: str) -> None:
    config = read(tmp_path, text)
    assert config == Config()
    assert (config.database, config.timezone, config.language) == ("sqlite:///dpool.db", "UTC", "en")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("timezone: Mars/Base", "timezone: unknown time zone; one is Europe/Berlin"),
        ("timezone: 1", "timezone: has to be a text; put it in quotes"),
        ("language: fr", "language: has to be 'en' or 'de'"),
        ("langauge: en", "langauge: unknown key; did you mean language?"),
        ("xyz: 1", "xyz: unknown key; there are database, timezone, language, telegram, matrix, log, monitoring"),
        ("1: 2", "1: unknown key; there are database, timezone, language, telegram, matrix, log, monitoring"),
        ("language: en\nlanguage: de", "language: is there twice (line 2)"),
        ("database: mysql://x/y", "database: 'mysql' is no kind of database dpool knows"),
        ("database: 'a://'", "database: 'a' is no kind of database dpool knows"),
        ("database: 'sqlite://'", "database: needs a file, like sqlite:///dpool.db"),
        ("database: 'sqlite:///:memory:'", "database: needs a file, like sqlite:///dpool.db"),
        ("database: postgresql://host", "database: needs the name of a database"),
        ("database: '://'", "database: not a database like sqlite:///dpool.db"),
        ("telegram: on", "telegram: has to be a group of keys"),
        ("telegram: {}", "telegram.token: is missing"),
        ("telegram: {token: ''}", "telegram.token: is empty"),
        ("telegram: {token: ${NOT_THERE}}", "telegram.token: the environment variable NOT_THERE is not set"),
        ("telegram: {token: '${NOT THERE}'}", "telegram.token: ${NOT THERE} is no name of an environment variable"),
        ("telegram: {token: a, api_url: api.org}", "telegram.api_url: not a web address like https://example.org"),
        ("telegram: {token: a, api_url: 'http://[a'}", "telegram.api_url: not a web address"),
        ("telegram: {token: a, tokn: b}", "telegram.tokn: unknown key; did you mean token?"),
        (
            "telegram: {token: a, webhook: {url: https://a.org, listen: 127.0.0.1:8443}}",
            "telegram.webhook.secret: is missing",
        ),
        (
            "telegram: {token: a, webhook: {url: https://a.org, listen: ':1', secret: a}}",
            "telegram.webhook.listen: not host:port",
        ),
        (
            "telegram: {token: a, webhook: {url: https://a.org, listen: a:99999, secret: a}}",
            "telegram.webhook.listen: not host:port",
        ),
        (
            "telegram: {token: a, webhook: {url: https://a.org, listen: a:8443, secret: ä}}",
            "telegram.webhook.secret: 1 to 256 of the characters",
        ),
        (
            "telegram: {token: a, webhook: {url: https://a.org, listen: a:8443, secret: a, u: 1}}",
            "telegram.webhook.u: unknown key; there are url, secret, listen",
        ),
        ('matrix: {homeserver: https://m.org, user: "@p:m.org"}', "matrix: needs a password or an access_token"),
        ("matrix: {homeserver: https://m.org, user: pool, password: a}", "matrix.user: not a user like"),
        (MATRIX + ", store: 1}", "matrix.store: has to be the path of a folder"),
        (MATRIX + ", allow_invites_from: '*:a'}", "matrix.allow_invites_from: has to be a list"),
        (MATRIX + ", allow_invites_from: ['*:a', b]}", "matrix.allow_invites_from.2: not a pattern of users"),
        (MATRIX + ", allow_invites_from: ['${NOPE}']}", "matrix.allow_invites_from.1: the environment variable NOPE"),
        ("log: {format: xml}", "log.format: has to be 'lines' or 'json'"),
        ("log: {level: loud}", "log.level: has to be 'debug', 'info', 'warning' or 'error'"),
        ("monitoring: {listen: 9464}", "monitoring.listen: has to be a text; put it in quotes"),
        ("monitoring: {listen: localhost}", "monitoring.listen: not host:port"),
        ("monitoring: {waiting_seconds_max: 0}", "monitoring.waiting_seconds_max: has to be 1 or more"),
        ("monitoring: {waiting_seconds_max: soon}", "monitoring.waiting_seconds_max: has to be a whole number"),
        ("- a", "not a list of keys like `language: en`"),
        ("word", "not a list of keys like `language: en`"),
        ("a: [", ":1: not readable as YAML: "),
        ("a: b\nc: }", ":2: not readable as YAML: "),
        ("a: \x01", "not readable as YAML"),
    ],
)
def test_a_fault_is_one_line_with_its_key(tmp_path: Path, text: str, fault: str) -> None:
    found = faults(tmp_path, text)
    assert len(found) == 1
    assert found[0].startswith(fault)
    assert "\n" not in found[0]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = "database: mysql://a/b\ntimezone: Mars\nlanguge: de\ntelegram: {token: ${NOPE}, webhook: {listen: x}}\n"
    assert {line.split(": ")[0] for line in faults(tmp_path, text)} == {
        "database",
        "timezone",
        "languge",
        "telegram.token",
        "telegram.webhook.url",
        "telegram.webhook.secret",
        "telegram.webhook.listen",
    }


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "missing.yaml", tmp_path, binary):
        with pytest.raises(UserError, match="can't be read"):
            load(path, {})


def test_no_secret_shows(tmp_path: Path) -> None:
    config = read(tmp_path, ISSUE.replace("sqlite:///dpool.db", "postgresql://me:data-word@host/dpool"))
    secrets = list(secrets_of(config))
    assert set(secrets) == {"123456:telegram-token", "abc-1_2", "p", "t", "data-word"}
    shown = f"{config!r} {config} {config.model_dump()!s} {config.telegram!r}"
    assert not [secret for secret in secrets if len(secret) > 1 and secret in shown.replace(config.database, "")]
    assert "data-word" not in repr(config)


def test_no_value_shows_in_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, "telegram: {token: ${TELEGRAM_TOKEN}, webhook: {secret: 'my secret', listen: a, url: b}}")
    assert not [line for line in found if "my secret" in line or "123456" in line]


def test_the_example_is_valid_and_complete(tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8")
    assert read(tmp_path, text).telegram is not None
    # With the keys that are commented out as well.
    whole = re.sub(r"^( +)# ( *\w+: *(?:$|[$\w@].*$))", r"\1\2", text, flags=re.MULTILINE)
    whole = re.sub(r"^  (  (?:url|secret|listen):)", r"  \1", whole, flags=re.MULTILINE)
    config = read(tmp_path, whole)
    telegram, parts = config.telegram, (config.matrix, config.log, config.monitoring)
    for model in (config, telegram, telegram and telegram.webhook, *parts):
        assert isinstance(model, BaseModel)
        assert set(keys(model)) == model.model_fields_set


def keys(model: BaseModel) -> Iterator[str]:
    yield from type(model).model_fields


def test_the_example_covers_every_model() -> None:
    models = (Config, TelegramSettings, WebhookSettings, MatrixSettings, LogSettings, MonitoringSettings)
    text = EXAMPLE.read_text("utf-8")
    names = {name for model in models for name in model.model_fields}
    assert [name for name in names if not re.search(rf"^[ #]*{name}:", text, re.MULTILINE)] == []
