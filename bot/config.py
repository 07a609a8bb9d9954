"""The configuration file: YAML with `${NAME}` for what the environment holds. All its faults are told at once."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from adapters.settings import Listen, MatrixSettings, Part, TelegramSettings
from bot.errors import UserError
from core.timetable import UnknownZoneError, read_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

VARIABLE = re.compile(r"\$\{([^{}\n]*)\}")
# While YAML is read, these stand around a variable's name: braces mean something in `{token: ${TELEGRAM_TOKEN}}`.
OPEN, CLOSE = "\ue000", "\ue001"
HELD = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DEFAULT_DATABASE = "sqlite:///dpool.db"
WORDS = {
    "missing": "is missing",
    "string_type": "has to be a text; put it in quotes",
    "model_type": "has to be a group of keys",
    "tuple_type": "has to be a list",
    "path_type": "has to be the path of a folder",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "greater_than_equal": "has to be 1 or more",
}


def database_url(text: str) -> str:
    """Check a database URL, or the path of a SQLite file; return the URL. Raises ValueError."""
    url = text if "://" in text else f"sqlite:///{text}"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("not a database like sqlite:///dpool.db or postgresql://user@host/name") from None
    kind = parsed.get_backend_name()
    if kind not in {"sqlite", "postgresql"}:
        raise ValueError(f"'{kind}' is no kind of database dpool knows: sqlite:///dpool.db or postgresql://…")
    if kind == "sqlite" and (parsed.database == ":memory:" or not Path(parsed.database or "").name):
        raise ValueError("needs a file, like sqlite:///dpool.db")
    if not parsed.database:
        raise ValueError("needs the name of a database, like postgresql://user@host/dpool")
    return url


def _zone(text: str) -> str:
    try:
        return read_zone(text).key
    except UnknownZoneError:
        raise ValueError("unknown time zone; one is Europe/Berlin") from None


class LogSettings(Part):
    """How much is logged, as lines for people or as JSON for programs."""

    format: Literal["lines", "json"] = "lines"
    level: Literal["debug", "info", "warning", "error"] = "info"


class MonitoringSettings(Part):
    """Where /healthz and /metrics answer, and how long an event may wait before the bot counts as ill."""

    listen: Listen = "127.0.0.1:9464"
    waiting_seconds_max: Annotated[int, Field(ge=1)] = 60


class Config(Part):
    """Everything `dpool run` has to know."""

    database: Annotated[str, AfterValidator(database_url), Field(repr=False)] = DEFAULT_DATABASE
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    language: Literal["en", "de"] = "en"
    telegram: TelegramSettings | None = None
    matrix: MatrixSettings | None = None
    log: LogSettings = LogSettings()
    monitoring: MonitoringSettings | None = None


def secrets_of(model: BaseModel) -> Iterator[str]:
    """Yield every secret in a model, so that logs can leave it out; a database's password too."""
    for _name, value in model:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, Part):
            yield from secrets_of(value)
    if isinstance(model, Config):
        password = make_url(model.database).password
        if password:
            yield str(password)


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file. Raises UserError with every fault, one line each."""
    raw, faults = _read(path)
    values = _filled(raw, "", environment, faults)
    config = None
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            key = _key(fault["loc"])
            faults.setdefault(key, _words(fault["type"], fault["loc"], fault["msg"]))
    if faults or config is None:
        raise UserError(*(f"{path}: {key}: {reason}" if key else f"{path}: {reason}" for key, reason in faults.items()))
    return config


def _read(path: Path) -> tuple[dict[object, object], dict[str, str]]:
    """Return what the file says and the faults found so far, by key. Raises UserError where nothing can be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: can't be read: it is not UTF-8 text") from None
    try:
        loader = yaml.SafeLoader(VARIABLE.sub(f"{OPEN}\\1{CLOSE}", text))
        node = loader.get_single_node()
        raw = {} if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not readable as YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise UserError(f"{path}: not readable as YAML") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: not a list of keys like `language: en`")
    return raw, dict(_twice(node, "")) if node is not None else {}


def _twice(node: yaml.Node, key: str) -> Iterator[tuple[str, str]]:
    """Yield keys that are there twice, which YAML itself passes over."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for name, value in node.value:
        path = f"{key}.{name.value}" if key else str(name.value)
        if path in seen:
            yield path, f"is there twice (line {name.start_mark.line + 1})"
        seen.add(path)
        yield from _twice(value, path)


def _filled(value: object, key: str, environment: Mapping[str, str], faults: dict[str, str]) -> object:
    """Return a value with the environment's variables filled in."""
    if isinstance(value, dict):
        return {
            str(name): _filled(one, f"{key}.{name}" if key else str(name), environment, faults)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_filled(one, f"{key}.{number}", environment, faults) for number, one in enumerate(value, 1)]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        name = match[1].strip()
        if not NAME.fullmatch(name):
            faults.setdefault(key, f"${{{name}}} is no name of an environment variable")
        elif not environment.get(name):
            faults.setdefault(key, f"the environment variable {name} is not set")
        return environment.get(name, "")

    return HELD.sub(fill, value)


def _key(location: tuple[int | str, ...]) -> str:
    """Return where a fault is as people count: keys with dots, the first of a list is 1."""
    return ".".join(str(one + 1) if isinstance(one, int) else one for one in location)


def _words(kind: str, location: tuple[int | str, ...], message: str) -> str:
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = get_close_matches(str(location[-1]), known, n=1)
        return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; there are {', '.join(known)}"
    if kind in WORDS:
        return WORDS[kind]
    if kind == "literal_error":
        return message.replace("Input should be", "has to be")
    return message.removeprefix("Value error, ")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for name in location:
        field = model.model_fields[str(name)]
        model = next(one for one in _models(field.annotation))
    return list(model.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    for one in getattr(annotation, "__args__", (annotation,)):
        if isinstance(one, type) and issubclass(one, Part):
            yield one
