"""Hostile rooms: what people could send, what a homeserver never should, drawn from a seed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.telegram_fuzz import NUMBERS, TEXTS, any_json, mutated

if TYPE_CHECKING:
    from random import Random

Json = Any
POOL = "@pool:valley.test"
PEOPLE = ("@ana:valley.test", "@bo:valley.test", POOL, "@x:evil.test", "", "nobody", "@" + "x" * 300, "@a:b\ud800")
REFS = ("$1", "$2", "$said", "", "$" + "x" * 400, "not an id", "$\ud800", "../../login")
KEYS = ("1️⃣", "1⃣", "2️⃣", "🔟", "👍", "", "1", "9" * 500, "\ud800", "1️⃣1️⃣")
KINDS = (
    *("m.room.message", "m.reaction", "m.room.redaction", "m.room.member", "m.room.tombstone", "m.room.create"),
    *("m.room.power_levels", "m.room.name", "m.room.encryption", "m.room.encrypted", "m.room.canonical_alias"),
    *("m.sticker", "m.poll.start", "m.call.invite", "org.example.something", "", "\ud800"),
)
MEGOLM = "m.megolm.v1.aes-sha2"


def message(random: Random, text: str) -> Json:
    """Return a text message as clients send it, plain, in reply, in a thread, or as an edit."""
    content: Json = {"msgtype": random.choice((*("m.text",) * 6, "m.notice", "m.emote")), "body": text}
    if random.random() < 0.5:
        content["m.mentions"] = random.choice(({}, {"user_ids": [POOL]}, {"room": True}))
    if random.random() < 0.3:
        content |= {"format": "org.matrix.custom.html", "formatted_body": f"<b>{text}</b>"}
    ref = random.choice(REFS)
    match random.randrange(4):
        case 0:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": ref}}
        case 1:
            relation = {"rel_type": "m.thread", "event_id": ref, "is_falling_back": random.random() < 0.5}
            content["m.relates_to"] = {**relation, "m.in_reply_to": {"event_id": ref}}
        case 2:
            content["m.new_content"] = {"msgtype": "m.text", "body": text}
            content["m.relates_to"] = {"rel_type": "m.replace", "event_id": ref}
        case _:
            pass
    return content


def contents(random: Random) -> dict[str, Json]:
    """Return what an event of each kind may hold."""
    person = random.choice(PEOPLE)
    return {
        "m.room.message": message(random, random.choice(TEXTS).replace("/", random.choice("/!"), 1)),
        "m.reaction": {
            "m.relates_to": {"rel_type": "m.annotation", "event_id": random.choice(REFS), "key": random.choice(KEYS)}
        },
        "m.room.redaction": {"redacts": random.choice(REFS), "reason": random.choice(TEXTS)},
        "m.room.member": {
            "membership": random.choice(("join", "invite", "leave", "ban", "knock", "")),
            "displayname": random.choice(TEXTS),
        },
        "m.room.tombstone": {"replacement_room": random.choice(("!other:evil.test", "!room0", "", "x" * 300))},
        "m.room.create": {"room_version": random.choice(("12", "1", "x")), "additional_creators": [person]},
        "m.room.power_levels": {"users": {person: random.choice(NUMBERS)}, "invite": random.choice(NUMBERS)},
        "m.room.name": {"name": random.choice(TEXTS)},
        "m.room.encrypted": {
            "algorithm": MEGOLM,
            "ciphertext": random.choice(TEXTS),
            "sender_key": "A" * 43,
            "session_id": random.choice(TEXTS),
            "device_id": "X",
        },
    }


def event(random: Random, number: int) -> Json:
    """Return an event that a homeserver could hand on; its id is its own."""
    kind = random.choice((*("m.room.message", "m.reaction", "m.room.message") * 10, *KINDS))
    held = contents(random)
    found: Json = {
        "event_id": f"$hostile{number}",
        "type": kind,
        "sender": random.choice(PEOPLE[:2]) if random.random() < 0.7 else random.choice(PEOPLE),
        "origin_server_ts": random.choice((1, 1_700_000_000_000, -1, 2**70)),
        "content": held.get(kind, {}),
    }
    if kind not in {"m.room.message", "m.reaction", "m.room.redaction", "m.room.encrypted"} or random.random() < 0.05:
        found["state_key"] = random.choice((*PEOPLE[:4], "", ""))
    if random.random() < 0.3:
        found["unsigned"] = random.choice(
            ({"prev_content": {"membership": "invite", "is_direct": True}, "prev_sender": PEOPLE[0]}, {"age": 1}, 7)
        )
    return found


def hostile(random: Random, number: int) -> Json:
    """Return an event that should do no harm, whatever it is."""
    found = event(random, number)
    match random.randrange(6):
        case 0:
            return any_json(random)
        case 1:
            found["content"] = any_json(random)
        case 2 | 3:
            found = mutated(random, found)
        case _:
            pass
    return found


def sendable(random: Random) -> tuple[str, Json]:
    """Return the kind and the content of an event that a real homeserver takes from a member: its shapes are wild."""
    kind = random.choice(("m.room.message", "m.reaction", "m.room.encrypted", "m.room.redaction", "org.example"))
    content = contents(random).get(kind, {})
    if random.random() < 0.5 and content:
        content = mutated(random, content)
    clean = _sendable(content)
    return kind, clean if isinstance(clean, dict) else {"body": clean}


def _sendable(value: Json) -> Json:
    """Return a value as far as rooms take it: whole numbers that JSON carries exactly, and whole characters."""
    if isinstance(value, dict):
        return {_text(key): _sendable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_sendable(one) for one in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**53):
        return 1
    return copy.copy(value)


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
