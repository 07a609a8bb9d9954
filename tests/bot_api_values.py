"""Reading what a bot sends to `tests.bot_api`: every parameter known, there when needed, and of its type."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp.web import FileField

from tests.bot_api_methods import METHODS, TYPES, UNIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.web import Request

    from tests.bot_api_methods import Fields

INTEGER = re.compile(r"-?[0-9]{1,19}")
JSON_TYPES: dict[str, type] = {"Integer": int, "String": str, "Boolean": bool}
FORM_BOOLEANS = {"true": True, "false": False}


@dataclass
class RefusedError(Exception):
    code: int
    description: str
    parameters: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        value = {"ok": False, "error_code": self.code, "description": self.description}
        return {**value, "parameters": self.parameters} if self.parameters else value


def bad(description: str) -> RefusedError:
    return RefusedError(400, f"Bad Request: {description}")


@dataclass(frozen=True)
class File:
    name: str
    content: bytes


async def read(request: Request, method: str) -> dict[str, Any]:
    """Return a request's parameters, each checked. Raises RefusedError."""
    if method not in METHODS:
        raise RefusedError(404, "Not Found")
    if request.content_type == "application/json":
        return _object(await request.json(), METHODS[method], method)
    raw = {**request.query, **await request.post()}
    attached = {name: _file(value) for name, value in raw.items() if isinstance(value, FileField)}
    given = {}
    for name, value in raw.items():
        if name in METHODS[method]:
            given[name] = _from_form(value, METHODS[method][name][0], name, attached)
        elif name not in attached:
            raise bad(f"unknown parameter {name} of {method}")
    return _object(given, METHODS[method], method)


def _file(value: FileField) -> File:
    return File(value.filename, value.file.read())


def _from_form(value: object, kind: str, name: str, attached: Mapping[str, File]) -> object:
    """Return what a form's text stands for; its type is checked later."""
    if not isinstance(value, str):
        return attached[name]
    if "InputFile" in kind:
        return attached.get(value.removeprefix("attach://"), value)
    if "Integer" in kind and INTEGER.fullmatch(value):
        return int(value)
    if kind == "Boolean":
        return FORM_BOOLEANS.get(value, value)
    if "String" in kind.split("|") or kind == "Integer":
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise bad(f"can't parse {name} JSON object") from None


def _object(value: object, fields: Fields, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad(f"can't parse {name}: expected an Object")
    for key, one in value.items():
        if key not in fields:
            raise bad(f"unknown parameter {key} of {name}")
        _check(one, fields[key][0], key)
    missing = [key for key, (_kind, is_needed) in fields.items() if is_needed and key not in value]
    if missing == ["text"]:
        raise bad("message text is empty")
    if missing == ["chat_id"]:
        raise bad("chat_id is empty")
    if missing:
        raise bad(f"can't parse {name}: Can't find field {missing[0]}")
    return value


def _check(value: object, kind: str, name: str) -> None:
    if kind.startswith("[]"):
        if not isinstance(value, list):
            raise bad(f"can't parse {name}: expected an Array")
        for one in value:
            _check(one, kind[2:], name)
        return
    kinds = kind.split("|")
    if any(type(value) is JSON_TYPES.get(one) for one in kinds) or ("InputFile" in kinds and isinstance(value, File)):
        return
    known = [one for one in kinds if one in TYPES or one in UNIONS]
    if isinstance(value, dict) and kind == "User":
        _check(value.get("id"), "Integer", name)
    elif isinstance(value, dict) and known:
        _object(value, _fields(value, known, name), name)
    else:
        raise bad(f"can't parse {name}: expected {kind}")


def _fields(value: dict[str, Any], kinds: list[str], name: str) -> Fields:
    """Return the fields of the type that a value claims to be."""
    if kinds[0] in UNIONS:
        kind = UNIONS[kinds[0]].get(str(value.get("type")))
        if kind is None:
            raise bad(f"can't parse {name}: unsupported type")
        return TYPES[kind]
    needed = ((kind, [key for key, (_kind, is_needed) in TYPES[kind].items() if is_needed]) for kind in kinds)
    return next((TYPES[kind] for kind, keys in needed if all(key in value for key in keys)), TYPES[kinds[0]])
