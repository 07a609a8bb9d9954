"""German: complete, in step with the texts of core, true to their markup, and fit for a phone."""

from __future__ import annotations

import ast
import io
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from sqlmodel import select

from core.chat.player import Player
from core.chat.say import LANGUAGES, LOCALE, Say
from core.tables import Good
from tests import cases
from tests.stage import act, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from babel.messages.catalog import Catalog

    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


ROOT = Path(__file__).parent.parent
PO = LOCALE / "de" / "LC_MESSAGES" / "dpool.po"
GERMAN = Say("de", ZoneInfo("Europe/Berlin"), datetime(2026, 5, 4, 9, tzinfo=UTC))
TYPED = re.compile(r"`([^`]+)`")
BOLD = re.compile(r"\*\*(.+?)\*\*")
# Words that people choose themselves stand in examples in their own language; all else that is typed stays.
OWN_WORDS = {
    "bread": "Brot",
    "unit:loaf": "unit:Laib/Laibe",
    "Dishes": "Abwasch",
    "TITLE": "TITEL",
    "HOURS": "STUNDEN",
    "WORD": "WORT",
    "WHY": "GRUND",
    "fri": "fr",
}
FORMAL = re.compile(r"\b(?:Sie|Ihr\w*|Ihnen)\b")
CLUMSY = re.compile(r"\w[*:_]in(?:nen)?\b|preis|\bder Nutzer|'\w+'|  ", re.IGNORECASE)


class Pair(NamedTuple):
    """A text and its translation; of a plural each of the two forms."""

    english: str
    german: str

    @property
    def is_long(self) -> bool:
        return len(self.german) > 1.6 * len(self.english) + 12


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="de")


def pairs() -> Iterator[Pair]:
    for message in read(PO):
        english, german = (
            [text] if isinstance(text, str) else list(text or ()) for text in (message.id, message.string)
        )
        if message.id:
            yield from (Pair(*forms) for forms in zip(english, german, strict=True))


def variable(name: str) -> str:
    """What the Makefile gives a variable, in one line."""
    found = re.search(rf"^{name} := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


# The files


def test_every_language_has_its_catalogue() -> None:
    assert {path.parent.parent.name for path in LOCALE.glob("*/LC_MESSAGES/dpool.mo")} == {*LANGUAGES} - {"en"}


def test_texts_are_those_of_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    options = shlex.split(f"{variable('LOCALE_KEYWORDS')} {variable('LOCALE_LAYOUT')}")
    new = tmp_path / "new.pot"
    CommandLineInterface().run(["pybabel", "-q", "extract", *options, "-o", str(new), "core"])  # type: ignore[no-untyped-call]
    texts, known = ({message.id for message in read(path)} for path in (new, LOCALE / "dpool.pot"))
    assert (sorted(map(str, texts - known)), sorted(map(str, known - texts))) == ([], []), "make locale"


def test_translation_has_every_text_once() -> None:
    catalogue = read(PO)
    assert {message.id for message in catalogue} == {message.id for message in read(LOCALE / "dpool.pot")}
    assert [message.id for message in catalogue if message.id and (message.fuzzy or not message.string)] == []
    assert [one for one in pairs() if not one.german.strip()] == []
    assert list(catalogue.obsolete) == []


def test_compiled_is_what_is_written() -> None:
    compiled = io.BytesIO()
    write_mo(compiled, read(PO))
    assert compiled.getvalue() == PO.with_suffix(".mo").read_bytes(), "make locale"


def test_files_say_nothing_of_the_machine() -> None:
    written = PO.read_text("utf-8") + (LOCALE / "dpool.pot").read_text("utf-8")
    assert not re.search(r"^#:|EMAIL|YEAR|/home|/work|/tmp|^#~|, fuzzy", written, re.MULTILINE)


def test_every_text_can_be_extracted() -> None:
    wrong = [
        f"{path.name}:{call.lineno}"
        for path in sorted((ROOT / "core").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and call.args and is_hidden(call)
    ]
    assert wrong == []


def is_hidden(call: ast.Call) -> bool:
    """Whether a call says a text where Babel does not see it: not written out, or not behind a name it looks for."""
    first, function = call.args[0], call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
    if name in {"say", "tell", "N_"}:
        return isinstance(first, ast.JoinedStr) or (isinstance(function, ast.Name) and not is_text)
    return is_text and (isinstance(function, ast.Call) or name == "self")


# The words


def test_values_stay() -> None:
    wrong = [one for one in pairs() if fields(one.english) != fields(one.german)]
    assert wrong == []


def fields(text: str) -> set[str]:
    return {name for _literal, name, _format, _conversion in Formatter().parse(text) if name is not None}


def test_what_is_typed_stays() -> None:
    assert [one for one in pairs() if typed_in_german(one.english) != sorted(TYPED.findall(one.german))] == []


def typed_in_german(english: str) -> list[str]:
    return sorted(
        " ".join(OWN_WORDS.get(word, word) for word in command.split(" ")) for command in TYPED.findall(english)
    )


def test_what_is_bold_stays() -> None:
    bold = [(BOLD.findall(one.english), BOLD.findall(one.german)) for one in pairs()]
    wrong = [
        (english, german)
        for english, german in bold
        if len(english) != len(german) or [fields(text) for text in english] != [fields(text) for text in german]
    ]
    assert wrong == []


def test_edges_and_lines_stay() -> None:
    assert [one for one in pairs() if frame(one.english) != frame(one.german)] == []


def frame(text: str) -> tuple[bool, bool, int]:
    """Whether a text begins and ends with a space, as parts of a line do, and how many lines it has."""
    return text[:1].isspace(), text[-1:].isspace(), text.count("\n")


def test_nothing_is_too_long_for_a_phone() -> None:
    assert [one for one in pairs() if one.is_long] == []


def test_it_is_german_and_friendly() -> None:
    left = [one.german for one in pairs() if one.english == one.german and re.search(r"[a-z]{3}", bare(one.german))]
    assert left == []
    assert [one.german for one in pairs() if FORMAL.search(one.german) or CLUMSY.search(one.german)] == []


def bare(text: str) -> str:
    """A text without its values, and without what is typed or bold."""
    return re.sub(r"\{\w+\}", "", BOLD.sub("", TYPED.sub("", text)))


# How it reads


@pytest.mark.parametrize(
    ("count", "bids", "weeks"),
    cases.table(
        """
        one | 1 | (1 Gebot)  | jede Woche
        two | 2 | (2 Gebote) | alle 2 Wochen
        ten | 10 | (10 Gebote) | alle 10 Wochen
        """
    ),
)
def test_counts_in_german(count: str, bids: str, weeks: str) -> None:
    assert str(GERMAN.count(" ({count} bid)", " ({count} bids)", int(count))).strip() == bids
    assert str(GERMAN.count("every week", "every {count} weeks", int(count))) == weeks


@pytest.mark.parametrize(
    ("moment", "text"),
    cases.table(
        """
        near       | 2026-05-10 16:00 | So 18:00
        far        | 2026-10-24 16:00 | Sa 24. Okt 18:00
        other year | 2027-03-01 17:00 | Mo 1. Mär 2027 18:00
        """
    ),
)
def test_moments_in_german(moment: str, text: str) -> None:
    assert str(GERMAN.when(datetime.fromisoformat(moment).replace(tzinfo=UTC))) == text


def test_figures_and_names_in_german() -> None:
    assert (GERMAN.hours(-1250), GERMAN.weight(95), GERMAN.change(120)) == ("-1,25 h", "×0,95", "+0,12 h")
    assert GERMAN.names(["Ana", "Bo", "Cy"]) == "Ana, Bo und Cy"
    assert [GERMAN.amount(count, "Brot", "Laib", "Laibe") for count in (0, 1, 2)] == ["0 Laibe", "1 Laib", "2 Laibe"]


# In the chat

POOL = """
now 2026-05-04 09:00
ana@backstube: /pool new Tal
> code: (?P<code>\\w{4}-\\w{4})
ana@backstube: /pool set language de
ana@backstube: /pool set timezone Europe/Berlin
ana@backstube: /project new Bergbäckerei
"""


@pytest.fixture
def player(store: Store) -> Player:
    """A German pool with one project."""
    return act(Player(store), POOL)


def lines(player: Player, script: str) -> list[str]:
    """Everything that the bakery's channel reads after the last step of a script."""
    act(player, script)
    return [line for text in seen(player, "backstube") for line in text.split("\n")]


WORK = """
ana@backstube: /good new Brot unit:Laib/Laibe
ana@backstube: /task new Brot backen 90m for:Brot due:fr urgent
bo@backstube: /claim 1
"""


def test_a_task(player: Player) -> None:
    line, project, choices = lines(player, WORK + "bo@backstube: /task 1")
    assert line == "#1 Brot backen · 1,5 h · ×1 · bis Fr 23:59 · für Brot · bei Bo"
    assert project == "Bergbäckerei"
    assert choices.startswith("[#1 fertig] [#1 abgeben]")


def test_a_round(player: Player) -> None:
    wanted = "bo@backstube: /done 1\nana@backstube: /confirm 1\nana@backstube: /made Brot 3\n"
    wanted += "bo@backstube: /want Brot 4\nana@backstube: /task new Hof fegen 1h\nnow 2026-05-10 18:00"
    read = lines(player, WORK + wanted)
    assert [line for line in read if line.startswith(("Runde", "#2 Hof fegen:", "Brot:", "["))][-4:] == [
        "Runde 1 · So 18:00",
        "#2 Hof fegen: offen zu ×1",
        "Brot: 3 von 4 verteilt, Kosten 0,5 h, 1 zu wenig",
        "[#2 übernehmen] [1 Brot zusagen]",
    ]


@pytest.mark.parametrize(
    ("step", "answer"),
    cases.table(
        """
        taken    | cy@backstube: /claim 1         | #1 ist schon bei Bo. Andere: /tasks
        nobody's | cy@backstube: /done 2          | #2 gibt es nicht. Siehe /tasks
        hours    | bo@backstube: /done 1 1..5h    | „1..5h“ verstehe ich nicht als Stunden. Versuch 1.5h oder 90m.
        one      | bo@backstube: /bid Brot 6 1    | Du hast 5 h frei; 1 Laib zu je 6 h: das bindet 6 h.
        several  | bo@backstube: /bid Brot 2,5 3  | Du hast 5 h frei; 3 Laibe zu je 2,5 h: das bindet 7,5 h.
        steward  | bo@backstube: /pool set levy 4 | Das kann nur das Pool-Team von Tal: frag Ana.
        """
    ),
)
def test_a_refusal(player: Player, step: str, answer: str) -> None:
    assert lines(player, WORK + step)[0].startswith(answer)


@pytest.mark.parametrize("language", LANGUAGES)
def test_units_given_in_both_forms_hold_in_any_language(player: Player, store: Store, language: str) -> None:
    lines(player, f"ana@backstube: /pool set language {language}\n{WORK}")
    with store.read() as session:
        good = session.exec(select(Good)).one()
        assert (good.unit, good.units) == ("Laib", "Laibe")
