"""Texts as Telegram reads them: HTML, entities, lengths in UTF-16 units, and what it marks by itself."""

from __future__ import annotations

import re
from typing import Any

from tests.bot_api_values import bad

Entity = dict[str, Any]
ENTITIES_MAX = 100
TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote", "tg-time": "date_time",
}  # fmt: skip
TYPES = frozenset(TAGS.values()) | {
    "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "expandable_blockquote",
    "text_mention", "custom_emoji",
}  # fmt: skip
MARKUP = re.compile(r"<(/?)([^\s<>]*)((?:\s[^<>]*)?)(>?)|&(lt|gt|amp|quot|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")
ATTRIBUTE = re.compile(r"""([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
FOUND = {
    "bot_command": re.compile(r"(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{2,32})?(?![\w@])"),
    "mention": re.compile(r"(?<![\w@/])@[A-Za-z][A-Za-z0-9_]{1,31}(?!\w)"),
    "url": re.compile(r"(?<![\w@])https?://[^\s<>\"]+"),
}
LINK = re.compile(r"(https?|tg|ton|mailto|tel):\S+|(?:[\w-]+\.)+[a-z]{2,}(/\S*)?")
MENTION_LINK = re.compile(r"tg://user\?id=([0-9]+)")
TIME_FORMAT = re.compile(r"r|w?[dD]?[tT]?")
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\u2028-\u202e]")


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse(text: str, parse_mode: str, entities: list[Entity] | None) -> tuple[str, list[Entity]]:
    """Return a text as it is shown, and what is marked in it. Raises RefusedError."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise bad("strings must be encoded in UTF-8") from None
    if parse_mode and entities:
        raise bad("parse_mode and entities can't be used together")
    if parse_mode and parse_mode.lower() != "html":
        raise bad("unsupported parse_mode")
    marked: list[Entity] = list(entities or [])
    if parse_mode:
        text, marked = _html(text)
    shown = FORBIDDEN.sub(" ", text)
    _check(shown, marked)
    return _stripped(shown, marked[:ENTITIES_MAX])


def found(text: str) -> list[Entity]:
    """Return the commands, mentions and addresses in a text, as Telegram marks them."""
    marked = [
        {"type": kind, "offset": units(text[: match.start()]), "length": units(match[0])}
        for kind, pattern in FOUND.items()
        for match in pattern.finditer(text)
    ]
    return sorted(marked, key=lambda one: one["offset"])


def with_found(text: str, marked: list[Entity]) -> list[Entity]:
    """Add what Telegram marks by itself to what a bot has marked."""
    taken = [(one["offset"], one["offset"] + one["length"]) for one in marked if one["type"] not in {"bold", "italic"}]
    added = [
        one
        for one in found(text)
        if not any(start < one["offset"] + one["length"] and one["offset"] < end for start, end in taken)
    ]
    return sorted([*marked, *added], key=lambda one: (one["offset"], -one["length"]))


def _stripped(text: str, marked: list[Entity]) -> tuple[str, list[Entity]]:
    """Take the white space at both ends away, as Telegram does."""
    shown = text.strip()
    cut, length = units(text) - units(text.lstrip()), units(shown)
    result = []
    for one in marked:
        start = max(one["offset"] - cut, 0)
        end = min(one["offset"] + one["length"] - cut, length)
        if end > start and _is_kept(one):
            result.append({**one, "offset": start, "length": end - start})
    return shown, sorted(result, key=lambda one: (one["offset"], -one["length"], one["type"]))


def _is_kept(entity: Entity) -> bool:
    return entity["type"] != "text_link" or LINK.fullmatch(entity.get("url", "")) is not None


def _check(text: str, marked: list[Entity]) -> None:
    """Refuse entities that point outside of the text, into the middle of a character, or across each other."""
    raw = text.encode("utf-16-le")
    open_ends: list[int] = []
    for one in sorted(marked, key=lambda one: (one["offset"], -one["length"])):
        start, end = one["offset"], one["offset"] + one["length"]
        if one["type"] not in TYPES or start < 0 or one["length"] < 0:
            raise bad("can't parse entities: receive an entity with incorrect type, offset or length")
        if end * 2 > len(raw):
            raise bad(f"can't parse entities: entity at UTF-16 offset {start} ends after the end of the text")
        if any(
            raw[2 * at : 2 * at + 2] and 0xDC <= raw[2 * at + 1] <= 0xDF for at in (start, end) if 2 * at < len(raw)
        ):
            raise bad(f"can't parse entities: entity at UTF-16 offset {start} splits a UTF-16 symbol")
        open_ends = [other for other in open_ends if other > start]
        if any(other < end for other in open_ends):
            raise bad(f"can't parse entities: entity at UTF-16 offset {start} overlaps another one")
        open_ends.append(end)
        _check_kind(one)


def _check_kind(entity: Entity) -> None:
    needed = {"text_link": "url", "text_mention": "user", "date_time": "unix_time", "custom_emoji": "custom_emoji_id"}
    key = needed.get(entity["type"])
    if key is not None and key not in entity:
        raise bad(f"can't parse entities: Can't find field {key}")
    if not TIME_FORMAT.fullmatch(entity.get("date_time_format", "")):
        raise bad("can't parse entities: wrong date-time format")


def _html(text: str) -> tuple[str, list[Entity]]:
    shown, at = "", 0
    marked: list[Entity] = []
    open_tags: list[tuple[str, int, dict[str, str]]] = []
    for match in MARKUP.finditer(text):
        shown, at = shown + text[at : match.start()], match.end()
        byte = len(text[: match.start()].encode())
        if match[5]:
            shown += NAMED.get(match[5]) or chr(int(match[5][1:].replace("x", "0x"), 0))
        elif not match[4]:
            raise bad(f"can't parse entities: Unclosed start tag at byte offset {byte}")
        elif match[1]:
            marked += _closed(open_tags, match[2].lower(), shown, byte)
        else:
            open_tags.append(_opened(match[2].lower(), match[3], shown, byte))
    if open_tags:
        raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{open_tags[-1][0]}\"")
    return shown + text[at:], marked


def _opened(tag: str, rest: str, shown: str, byte: int) -> tuple[str, int, dict[str, str]]:
    if tag not in TAGS:
        raise bad(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {byte}')
    attributes = {one[1]: _unescaped(one[2] or one[3] or one[4] or "") for one in ATTRIBUTE.finditer(rest)}
    return tag, units(shown), attributes


def _closed(open_tags: list[tuple[str, int, dict[str, str]]], tag: str, shown: str, byte: int) -> list[Entity]:
    if not open_tags:
        raise bad(f"can't parse entities: Unexpected end tag at byte offset {byte}")
    opened, start, attributes = open_tags.pop()
    if tag not in {opened, ""}:
        raise bad(
            f'can\'t parse entities: Unmatched end tag at byte offset {byte}, expected "</{opened}>", found "</{tag}>"'
        )
    entity: Entity = {"type": TAGS[opened], "offset": start, "length": units(shown) - start}
    if not entity["length"]:
        return []
    return [_filled(entity, attributes)]


def _filled(entity: Entity, attributes: dict[str, str]) -> Entity:
    if entity["type"] == "text_link":
        url = attributes.get("href", "")
        mention = MENTION_LINK.fullmatch(url)
        if mention:
            return {**entity, "type": "text_mention", "user": {"id": int(mention[1])}}
        return {**entity, "url": url}
    if entity["type"] == "date_time":
        if not attributes.get("unix", "").isdigit():
            raise bad("can't parse entities: tg-time without its unix time")
        value = {"unix_time": int(attributes["unix"]), "date_time_format": attributes.get("format", "")}
        return {**entity, **{name: one for name, one in value.items() if one}}
    if entity["type"] == "blockquote" and "expandable" in attributes:
        return {**entity, "type": "expandable_blockquote"}
    return entity


def _unescaped(text: str) -> str:
    return MARKUP.sub(lambda match: NAMED.get(match[5] or "", match[0]), text)
