"""What each platform needs to know: the models of its part of the configuration file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

PORT_MAX = 65_535
WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
MATRIX_USER = re.compile(r"@[^:\s]+:[^\s]+")


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError("not a web address like https://example.org")
    return text.rstrip("/")


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) <= PORT_MAX:
        raise ValueError("not host:port, like 127.0.0.1:8443")
    return text


def _filled(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise ValueError("is empty")
    return secret


def _webhook_secret(secret: SecretStr) -> SecretStr:
    if not WEBHOOK_SECRET.fullmatch(secret.get_secret_value()):
        raise ValueError("1 to 256 of the characters A-Z, a-z, 0-9, _ and -")
    return secret


def _user(text: str) -> str:
    if not MATRIX_USER.fullmatch(text):
        raise ValueError("not a user like @pool:example.org")
    return text


def _pattern(text: str) -> str:
    if text.count(":") == 0 or text != "".join(text.split()):
        raise ValueError("not a pattern of users like *:example.org")
    return text


Url = Annotated[str, AfterValidator(_url)]
Listen = Annotated[str, AfterValidator(_listen)]
Secret = Annotated[SecretStr, AfterValidator(_filled)]


class Part(BaseModel):
    """A part of the configuration: unknown keys are faults, values stay out of messages, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class WebhookSettings(Part):
    """Where Telegram is to send updates. Without a secret anybody could send them."""

    url: Url
    secret: Annotated[SecretStr, AfterValidator(_webhook_secret)]
    listen: Listen


class TelegramSettings(Part):
    """A Telegram bot. Without a webhook it asks for updates itself."""

    token: Secret
    api_url: Url = "https://api.telegram.org"
    webhook: WebhookSettings | None = None


class MatrixSettings(Part):
    """A Matrix account for the bot: its password, or an access token."""

    homeserver: Url
    user: Annotated[str, AfterValidator(_user)]
    password: Secret | None = None
    access_token: Secret | None = None
    store: Path = Path("matrix-store")
    allow_invites_from: tuple[Annotated[str, AfterValidator(_pattern)], ...] = Field(default=())

    @model_validator(mode="after")
    def _has_a_way_in(self) -> MatrixSettings:
        if self.password is None and self.access_token is None:
            raise ValueError("needs a password or an access_token")
        return self
