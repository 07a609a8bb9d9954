"""Plain words to the bot: the common wishes, in English and German, read as commands.

"I'd like 2 bread, up to 1.5h" is `want "bread" 2 max:1.5h`. What is not understood stays as it was typed.
"""

from __future__ import annotations

import re

POLITE = re.compile(r"^(?:hi|hey|hello|hallo|please|bitte|ok|okay|so)\b[\s,!]*", re.IGNORECASE)
THANKS = re.compile(r"[\s,]*(?:please|bitte|thanks|thank you|danke)?[\s.!?]*$", re.IGNORECASE)
MOST = re.compile(
    r"[\s,(]*\b(?:f(?:o|ü)r\s+)?(?:up to|at most|max(?:imum)?|no more than|bis zu|höchstens|maximal)\s*:?\s*"
    r"(?P<hours>[\d.,]+\s?(?:h|m|hours?|stunden?)?)\b(?:\s*(?:each|a piece|apiece|per \w+|je \w+|je|pro \w+))?\)?",
    re.IGNORECASE,
)
WANT = re.compile(
    r"^(?:i(?:'|’)?d (?:like|want|love)|i (?:would like|want|need)|we (?:want|need)|we(?:'|’)?d like"
    r"|(?:can|could|may) i (?:have|get)|give me|gib mir|ich (?:(?:hätte|möchte) gerne?|möchte|will|brauche|nehme)"
    r"|wir (?:hätten gerne?|möchten|wollen|brauchen|nehmen)|(?:kann|könnte|darf) ich(?=.* (?:haben|bekommen)$))\s+"
    r"(?:(?P<count>\d{1,3}|an?|one|two|three|eine?n?|zwei|drei|vier)\s+)?(?P<good>.+?)(?: (?:haben|bekommen|nehmen))?$",
    re.IGNORECASE,
)
SENTENCE_LENGTH_MAX = 200  # nobody wishes at greater length, and the patterns below stay quick
COUNTS = {"one": 1, "a": 1, "an": 1, "two": 2, "three": 3}
COUNTS |= {"ein": 1, "eine": 1, "einen": 1, "zwei": 2, "drei": 3, "vier": 4}
UNIT_OF = re.compile(r"^\w+ (?:of|von) (?P<good>.+)$", re.IGNORECASE)
TASK = r"(?:task |aufgabe )?#?(?P<number>\d{1,9})"
CLAIM = re.compile(
    rf"^(?:i(?:'|’)?ll (?:do|take)|i (?:will |can )?(?:do|take|claim)|let me do|ich (?:mache?|übernehme|nehme))"
    rf" {TASK}$",
    re.IGNORECASE,
)
DONE = re.compile(
    rf"^(?:(?:i(?:'|’)?m |i am )?(?:done with|finished)|i (?:did|finished)|ich habe?|(?:ich bin )?fertig mit) {TASK}"
    r"(?: (?:gemacht|erledigt))?(?:[\s,]+(?:in |took )?(?P<hours>[\d.,]+\s?(?:[hm]|std|stunde)\w*))?$",
    re.IGNORECASE,
)
IS_DONE = re.compile(
    rf"^{TASK} (?:is done|done|(?:ist )?(?:fertig|erledigt))(?:[\s,]+(?P<hours>[\d.,]+\s?(?:[hm]|std|stunde)\w*))?$",
    re.IGNORECASE,
)
FIXED = (
    (
        re.compile(
            r"^(?:what(?:'|’)?s (?:there )?to do|what can i do|was (?:gibt(?:'|’| e)?s zu tun|steht an|kann ich tun))$",
            re.IGNORECASE,
        ),
        "tasks",
    ),
    (
        re.compile(
            r"^(?:what(?:'|’)?s there|what is there|what do you have|was gibt(?:'|’| e)?s|was ist da)$", re.IGNORECASE
        ),
        "goods",
    ),
    (
        re.compile(
            r"^(?:how much (?:do i have|have i)(?: left)?|my balance"
            r"|mein (?:konto|stand)|wie viel habe? ich(?: noch| frei)?)$",
            re.IGNORECASE,
        ),
        "me",
    ),
    (re.compile(r"^(?:when is the next round|wann ist die nächste runde)$", re.IGNORECASE), "pool"),
    (re.compile(r"^(?:help|hilfe|what can you do|was kannst du)$", re.IGNORECASE), "help"),
)


def as_command(text: str) -> str | None:
    """Return the command that a sentence asks for; None if it is not understood."""
    words = " ".join(text.split())
    if len(words) > SENTENCE_LENGTH_MAX:
        return None
    sentence = THANKS.sub("", POLITE.sub("", words))
    for pattern, command in FIXED:
        if pattern.fullmatch(sentence):
            return command
    for pattern, name in ((CLAIM, "claim"), (DONE, "done"), (IS_DONE, "done")):
        match = pattern.fullmatch(sentence)
        if match is not None:
            hours = match.groupdict().get("hours") or ""
            return f"{name} {match['number']} {hours}".strip()
    return _as_want(sentence)


def _as_want(sentence: str) -> str | None:
    most = MOST.search(sentence)
    wish = WANT.fullmatch(MOST.sub("", sentence).strip(" ,"))
    if wish is None:
        return None
    unit = UNIT_OF.fullmatch(wish["good"])
    good = (unit["good"] if unit else wish["good"]).strip(" ,.\"'")
    word = (wish["count"] or "1").casefold()
    count = COUNTS.get(word, word)
    limit = f" max:{most['hours'].replace(' ', '')}" if most else ""
    return f'want "{good}" {count}{limit}'
