"""The menus of commands: for the thumb, in every language, set when they have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.telegram import menu
from adapters.telegram.api import Api
from core.chat.commands import table
from tests import bot_api
from tests.adapter_telegram import KeptDoor, receiving

if TYPE_CHECKING:
    from tests.bot_api import BotApi

pytest_plugins = ("tests.telegram_fixtures",)


@pytest.mark.parametrize("names", [names for _scope, names in menu.SCOPES])
@pytest.mark.parametrize("language", ["en", "de"])
def test_every_command_of_a_menu_is_one_of_the_table(names: tuple[str, ...], language: str) -> None:
    found = menu.menu(names, language)
    assert [one.command for one in found] == list(names)
    assert set(names) <= set(table().names())
    assert all(menu.NAME.fullmatch(one.command) and 3 <= len(one.description) <= menu.DOES_MAX for one in found)


def test_a_menu_speaks_its_language() -> None:
    assert [one.description for one in menu.menu(["claim"], "en")] == ["take an open task"]
    assert [one.description for one in menu.menu(["claim"], "de")] != ["take an open task"]


async def test_who_sees_what(api: BotApi, door: KeptDoor) -> None:
    async with receiving(api, door):
        await api.until(lambda: api.counts["setMyCommands"] == 6)
    ana, bo = api.user("Ana"), api.user("Bo", language_code="de")
    group = api.group("Bakery", [ana, bo])
    assert "handover" in api.menu(ana, group)
    assert "handover" not in api.menu(bo, group)
    assert api.menu(bo, bo)[0] == "start"
    assert {language for _scope, language in api.menus} == {"", "de"}


async def test_menus_are_set_when_they_have_changed(
    api: BotApi, door: KeptDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def announced() -> int:
        before = api.counts["setMyCommands"]
        async with Api(api.token, api.url) as bot:
            await menu.announce(bot, door)
        return api.counts["setMyCommands"] - before

    api.fail("setMyCommands", bot_api.SERVER_ERROR)
    await announced()
    assert api.menus == {}  # told at the next start
    assert await announced() == 6
    assert await announced() == 0
    monkeypatch.setattr(menu, "SCOPES", menu.SCOPES[:1])
    assert await announced() == 2
