"""Settings: every default reads, every range ends where it should, and what is refused comes with what is not."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from core.settings import (
    N_,
    MemberSettings,
    PoolSettings,
    ProjectSettings,
    Setting,
    Settings,
    UnfitSettingError,
    UnknownSettingError,
)
from core.sharing import Rule
from core.timetable import QuietHours, Timetable
from tests.cases import table

TABLES = {"pool": PoolSettings, "project": ProjectSettings, "member": MemberSettings}
EVERY = [(name, key) for name, settings in TABLES.items() for key in settings.table]
# Every setting with what it keeps of what is typed.
TAKEN = table("""
    pool        | rounds        | mon, Thu 7:30  | mon,thu 07:30
    a zone      | timezone      | berlin         | Europe/Berlin
    language    | language      | DE             | de
    rule        | rule          | Flat Rate      | flat-rate
    limit 0     | limit         | 0              | 0 h
    limit 0h    | limit         | 0h             | 0 h
    limit most  | limit         | 1000 h         | 1000 h
    newcomer    | newcomer      | 0 h            | 0 h
    newcomer 2  | newcomer      | 90m            | 1.5 h
    growth 0    | growth        | 0              | 0 %
    growth %    | growth        | 7 %            | 7 %
    growth most | growth        | 100            | 100 %
    max_weight  | max-weight    | x2,5           | ×2.5
    min_weight  | MIN_WEIGHT    | 0.01           | ×0.01
    levy        | levy          | 0              | 0 h
    backers 0   | backers       | 0              | 0
    backers 20  | backers       | 20             | 20
    admission   | admission     | Ask            | ask
""")
TAKEN_BY_PROJECT = table("""
    confirmations 1  | confirmations | 1           | 1
    confirmations 10 | confirmations | 10          | 10
    tasks            | tasks         | Maintainers | maintainers
    admission        | admission     | ask         | ask
    language         | language      | de          | de
    no language      | language      |             |
    quiet            | quiet         | 22:00–7:00  | 22:00-07:00
    no quiet         | quiet         | no          | off
    empty quiet      | quiet         |             | off
    digest           | digest        | ON          | on
""")
TAKEN_BY_MEMBER = table("""
    hours    | hours  | 4h          | 4 h
    no hours | hours  | off         | off
    hours 0  | hours  | 0           | 0 h
    quiet    | quiet  | 12:00-13:00 | 12:00-13:00
    digest   | digest | off         | off
""")
REFUSED = table("""
    rounds        | pool    | rounds        | never         | sun 18:00
    a zone        | pool    | timezone      | Mars/Base     | UTC
    a path        | pool    | timezone      | ../etc        | UTC
    language      | pool    | language      | fr            | en
    no language   | pool    | language      |               | en
    rule          | pool    | rule          | first-come    | preference
    limit below   | pool    | limit         | -1h           | 10 h
    limit above   | pool    | limit         | 1000.001 h    | 10 h
    limit endless | pool    | limit         | 1e9h          | 10 h
    limit of nan  | pool    | limit         | nan           | 10 h
    newcomer      | pool    | newcomer      | much          | 5 h
    growth below  | pool    | growth        | -1            | 10 %
    growth above  | pool    | growth        | 101           | 10 %
    growth long   | pool    | growth        | 0000000000005 | 10 %
    growth script | pool    | growth        | ٣             | 10 %
    growth power  | pool    | growth        | 10²           | 10 %
    growth part   | pool    | growth        | 1.5           | 10 %
    weight 0      | pool    | max_weight    | 0             | ×4
    weight high   | pool    | max_weight    | ×1000000      | ×4
    weight none   | pool    | min_weight    | ×             | ×0.25
    levy          | pool    | levy          | three         | 3 h
    backers       | pool    | backers       | 21            | 1
    admission     | pool    | admission     | closed        | open
    confirmations | project | confirmations | 0             | 1
    more of them  | project | confirmations | 11            | 1
    tasks         | project | tasks         | all           | members
    quiet         | project | quiet         | 22:00         | 22:00-07:00
    digest        | project | digest        | weekly        | on
    hours         | member  | hours         | 1001h         | 4h
    quiet hours   | member  | quiet         | 25:00-26:00   | 22:00-07:00
""")


@pytest.mark.parametrize(("name", "key"), EVERY)
def test_every_default_reads_and_is_shown_as_it_is_kept(name: str, key: str) -> None:
    kind = TABLES[name]
    setting = kind.table[key]
    assert setting.key == key
    assert setting.help
    value = setting.read(setting.default)
    assert setting.show(value) == setting.default
    assert getattr(kind({}), key) == value
    assert kind({}).shown(key) == setting.default
    assert kind.change({}, key, setting.default) == {key: setting.default}


def test_the_defaults_are_those_of_the_design() -> None:
    pool, project, member = PoolSettings({}), ProjectSettings({}), MemberSettings({})
    assert (pool.rounds, pool.timezone, pool.rule) == (Timetable.read("sun 18:00"), ZoneInfo("UTC"), Rule.PREFERENCE)
    assert (pool.limit, pool.newcomer, pool.levy) == (10_000, 5_000, 3_000)
    assert (pool.growth, pool.max_weight, pool.min_weight, pool.backers) == (10, 400, 25, 1)
    assert (pool.language, pool.admission) == ("en", "open")
    assert (project.confirmations, project.tasks, project.admission, project.language) == (1, "members", "open", "")
    assert (project.quiet, project.digest) == (None, "off")
    assert (member.hours, member.quiet, member.digest) == (None, None, "off")


@pytest.mark.parametrize(("key", "text", "kept"), TAKEN)
def test_a_pool_takes(key: str, text: str, kept: str) -> None:
    check_taken(PoolSettings, key, text, kept)


@pytest.mark.parametrize(("key", "text", "kept"), TAKEN_BY_PROJECT)
def test_a_project_takes(key: str, text: str, kept: str) -> None:
    check_taken(ProjectSettings, key, text, kept)


@pytest.mark.parametrize(("key", "text", "kept"), TAKEN_BY_MEMBER)
def test_a_member_takes(key: str, text: str, kept: str) -> None:
    check_taken(MemberSettings, key, text, kept)


def check_taken(kind: type[Settings], key: str, text: str, kept: str) -> None:
    name = key.casefold().replace("-", "_")
    other = next(one for one in kind.table if one != name)
    before = {other: "as it was"}
    assert kind.change(before, key, f" {text} ") == {other: "as it was", name: kept}
    assert before == {other: "as it was"}
    assert kind({name: kept}).shown(name) == kept
    assert getattr(kind({name: kept}), name) == kind.table[name].read(text)
    assert kind.change({}, name, kept) == {name: kept}


@pytest.mark.parametrize(("name", "key", "text", "example"), REFUSED)
def test_what_does_not_fit_is_refused(name: str, key: str, text: str, example: str) -> None:
    with pytest.raises(UnfitSettingError) as refused:
        TABLES[name].change({}, key, text)
    assert (refused.value.key, refused.value.value, refused.value.example) == (key, text, example)


@pytest.mark.parametrize("name", TABLES)
def test_every_setting_refuses_nonsense(name: str) -> None:
    for key in TABLES[name].table:
        for text in ("\u200b", "x" * 20_000, "\x00", "9" * 5_000, "٣", "\ud83d", "Ⅷ"):
            with pytest.raises(UnfitSettingError):
                TABLES[name].change({}, key, text)


@pytest.mark.parametrize("key", ["", "limits", "table", "__class__", "lim it"])
def test_an_unknown_key_brings_the_known_ones(key: str) -> None:
    with pytest.raises(UnknownSettingError) as refused:
        MemberSettings.change({}, key, "1")
    assert (refused.value.key, refused.value.keys) == (key, ("hours", "quiet", "digest"))


def test_every_table_is_its_own() -> None:
    assert "limit" not in ProjectSettings.table
    assert Settings.table == {}
    assert isinstance(PoolSettings.limit, Setting)
    assert PoolSettings.limit is PoolSettings.table["limit"]
    assert ProjectSettings({"quiet": "22:00-07:00"}).quiet == QuietHours.read("22:00-07:00")
    assert N_("text") == "text"
