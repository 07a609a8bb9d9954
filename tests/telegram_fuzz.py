"""Hostile updates: everything the Bot API could hand out and nothing it ever would, drawn from a seed."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

Json = Any
KINDS = (
    "message", "edited_message", "callback_query", "my_chat_member", "channel_post", "chat_member", "poll_answer",
    "inline_query", "message_reaction", "guest_message", "business_message", "managed_bot", "something_new",
)  # fmt: skip
KEYS = (
    "message_id", "message_thread_id", "is_topic_message", "from", "sender_chat", "chat", "date", "text", "caption",
    "entities", "reply_to_message", "forward_origin", "via_bot", "migrate_to_chat_id", "migrate_from_chat_id", "id",
    "type", "title", "is_bot", "first_name", "last_name", "username", "language_code", "data", "message", "status",
    "new_chat_member", "old_chat_member", "is_member", "user", "offset", "length", "new_chat_members", "chat_instance",
    "left_chat_member", "forum_topic_created", "forum_topic_reopened", "reply_markup", "can_send_messages",
)  # fmt: skip
TEXTS = (
    "", " ", "/", "//", "1.5", "\n" * 50, "x" * 5000, "🥖" * 2000, "a\u0301" * 500, "\ud800", "\u2028\u2029",
    "/start", "/help tasks", "/undo", "/forget", "/leave", "/export", "/pool set rounds mon", "/link AAAA-AAAA",
    "/tasks@dpool_bot", "/tasks@other_bot", "@dpool_bot", "@dpool_bot hello", "/start join-" + "A" * 300,
    "/want bread 1e400", "/did x 99999999999999999999h", "/claim -1", "/claim ١٢", "/bid 1 NaN", "/bid bread Infinity",
    "/confirm 1 " + "9" * 4000, "/task new " + "y" * 4000 + " 1h", "/task new \x00\x01\x02 1h",
    "/task new \udfff\ud800 1h", "/pool new \u202eevil\u202c", "/project new \u200b\u200b", "/language \u0000de",
    "/as \ufeffAna claim 1", "/me set name <b>&amp;", "' OR 1=1; DROP TABLE inbox; --", "${jndi:ldap://x}",
    "=cmd|' /C calc'!A0", "/member new \U000e0041\U000e0042", "/wizard", "/__class__", "/task 9223372036854775808",
)  # fmt: skip
DATA = (
    "",
    "0:0",
    "1:0",
    "1:99",
    "999999999999999999:0",
    "-1:0",
    "1",
    "x",
    "1:0:0",
    "1:\ud800",
    "0" * 64,
    "1:1e9",
    "\x00",
)
NUMBERS = (
    0, 1, -1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1.5, -0.0, 1e308,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
SINGLE: tuple[tuple[Json, ...], ...] = (NUMBERS, TEXTS, (None, True, False), DATA)


def any_json(random: Random, depth: int = 3) -> Json:
    """Return a value of any kind."""
    kind = random.randrange(8 if depth else 5)
    if kind < len(SINGLE):
        return random.choice(SINGLE[kind])
    if kind == len(SINGLE):
        return random.randrange(-(10**10), 10**10)
    children = [any_json(random, depth - 1) for _ in range(random.randrange(5))]
    return children if kind == len(SINGLE) + 1 else {random.choice(KEYS): one for one in children}


def nested(random: Random) -> str:
    """Return an update as JSON text that goes deeper than any real one."""
    depth, key = random.randrange(10, 200), random.choice(("message", "reply_to_message", "x"))
    opening, closing = random.choice((("[", "]"), (f'{{"{key}":', "}")))
    return f'{{"{random.choice(KINDS)}":{opening * depth}1{closing * depth}}}'


def mutated(random: Random, update: Json) -> Json:
    """Return an update with some of its parts missing, of another kind, doubled or nested in themselves."""
    changed = copy.deepcopy(update)
    for _ in range(random.randrange(1, 4)):
        parent, key = _somewhere(random, changed)
        match random.randrange(5):
            case 0:
                del parent[key]
            case 1:
                parent[key] = copy.deepcopy(changed)
            case 2:
                parent[key] = [parent[key], parent[key]]
            case _:
                parent[key] = any_json(random)
        if not changed:
            break
    return changed


def _somewhere(random: Random, value: Json) -> tuple[Json, Any]:
    """Return a container within a value and one of its keys."""
    places = [(value, key) for key in value]
    for parent, key in places:
        child = parent[key]
        if isinstance(child, dict | list) and len(places) < 200:
            places += [(child, one) for one in (child if isinstance(child, dict) else range(len(child)))]
    return random.choice(places)


def hostile(random: Random, valid: list[Json]) -> Json:
    """Return an update that should do no harm; `valid` are some that would be fine."""
    match random.randrange(10):
        case 0:
            return nested(random)
        case 1:
            return {random.choice(KINDS): any_json(random) for _ in range(random.randrange(3))}
        case 2 | 3 | 4 | 5 | 6:
            return {random.choice(KINDS): {key: any_json(random) for key in random.sample(KEYS, 8)}}
        case 7:
            update = copy.deepcopy(random.choice(valid))
            _put(update, random.choice(TEXTS), random.choice(DATA))
            return update
        case _:
            return mutated(random, _anew(random, random.choice(valid)))


def _anew(random: Random, update: Json) -> Json:
    """Return an update as a new one of its kind: every press has a number of its own."""
    query = update.get("callback_query")
    return {"callback_query": {**query, "id": str(random.randrange(10**17))}} if query else update


def _put(update: Json, text: str, data: str) -> None:
    for content in update.values():
        if "data" in content:
            content["data"] = data
        elif "text" in content:
            content["text"] = text


def as_text(update: Json) -> str:
    """Return an update as JSON text, as far as that goes."""
    return update if isinstance(update, str) else json.dumps(update)
