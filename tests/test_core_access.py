"""Who may do what, and about which pool and project a command is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from core.chat.desk import Desk
from core.chat.handling import Handling
from core.chat.message import Choice, Incoming, Message
from core.chat.text import Text
from core.identity import Sender, account_of, chat_of
from core.tables import Member, Membership
from core.tables_chat import Delivery, Person
from tests import cases
from tests.stage import act, chat_named, dump, event, on_stage, posted, press, seen, write

if TYPE_CHECKING:
    from sqlmodel import Session

    from core.chat.player import Player
    from core.store import Store


STORES = ("sqlite",)  # one is enough: what is shown here does not depend on which it is


TWO_POOLS = """
fay@mill: /pool new Mill Pool
> code: (?P<mill>\\w{4}-\\w{4})
fay@mill: /project new Mill
bo@mill: /me
"""


def members(store: Store) -> list[str]:
    with store.read() as session:
        return sorted(session.exec(select(Member.name)))


# Joining


def test_using_a_command_in_a_channel_joins_its_pool_and_project(store: Store) -> None:
    player = on_stage(store)
    write(player, "eve", "bakery", "hello")
    assert "Eve" not in members(store)
    write(player, "eve", "bakery", "/goods")
    assert "Eve" in members(store)
    act(player, "eve@bakery: /task new Dishes 1h\n> #1")


def test_a_command_that_is_refused_joins_nobody(store: Store) -> None:
    player = on_stage(store)
    write(player, "eve", "bakery", "/claim 99")
    assert "Eve" not in members(store)


def test_help_joins_nobody(store: Store) -> None:
    player = on_stage(store)
    act(player, "eve@bakery: /help\neve@bakery: /start")
    assert "Eve" not in members(store)


def test_a_pool_that_asks_keeps_the_request_and_tells_its_stewards_once(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /pool set admission ask")
    act(
        player, "eve@bakery: /claim 1\n> Valley has yet to let you in\ndm:ana> Eve would like to join Valley\ndm:ana= 1"
    )
    act(player, "eve@bakery: /goods\n> has yet to let you in\ndm:ana= 0\neve@dm: /goods\n> has yet to let you in")
    with store.read() as session:
        assert session.exec(select(Member).where(Member.name == "Eve")).one().admitted_at is None
        assert len(session.exec(select(Membership)).all()) == 3
    act(player, "ana@dm: [Admit Eve]\ndm:ana> Eve is in Valley\neve@bakery: /goods\n> bread")


def test_a_project_that_asks_keeps_the_request_of_what_only_its_people_may(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /project set admission ask")
    act(player, "eve@bakery: /task new Dishes 1h\n> Hill Bakery has yet to let you in\ndm:ana> Eve would like to join")
    act(player, "eve@bakery: /goods\n> bread\neve@bakery: /task new Dishes 1h\n> has yet to let you in\ndm:ana= 0")
    act(player, 'ana@bakery: /admit Eve\n> Eve is in Hill Bakery\neve@bakery: /task new "Dishes" 1h\n> #1')


def test_who_left_is_a_stranger_until_they_speak_in_a_channel_again(store: Store) -> None:
    player = on_stage(store, "bo@dm: /leave sure")
    assert "Bo" in members(store)
    act(player, "bo@dm: /me\n> You're in no pool here")
    act(player, "bo@dm: /start\n> Hello!\nbo@bakery: /start\n> What's next")
    act(player, "bo@bakery: /me\ndm:bo> Bo.* in Valley")


# Which pool, which project


def test_in_no_pool_a_command_says_how_to_begin(store: Store) -> None:
    player = on_stage(store)
    act(
        player,
        "zoe@dm: /goods\n> /join CODE.*/pool new NAME\nzoe@nowhere: /goods\n> /join CODE\nzoe@dm: /start\n> Hello!",
    )


def test_in_private_the_only_pool_is_meant(store: Store) -> None:
    act(on_stage(store), "bo@dm: /me\n> Valley\nbo@dm: /start\n> Valley")


def test_in_several_pools_the_bot_asks_once_and_remembers(store: Store) -> None:
    player = on_stage(store, TWO_POOLS)
    with store.write() as session:
        for person in session.exec(select(Person)):
            person.pool_id = None
    act(player, "bo@dm: /goods\n> Which pool\\?\n> \\[Valley\\] \\[Mill Pool\\]\nbo@dm: /start\n> Which pool")
    act(player, "bo@dm: [Mill Pool]\n> Mill Pool\nbo@dm: /goods\n> No goods yet\nbo@dm: /start\n> Mill Pool")
    act(player, "bo@bakery: /me\nbo@dm: /goods\n> bread")


def test_a_pool_chosen_is_remembered_even_if_the_command_is_refused(store: Store) -> None:
    player = on_stage(store, TWO_POOLS)
    with store.write() as session:
        for person in session.exec(select(Person)):
            person.pool_id = None
    act(player, "bo@dm: /claim 99\n> Which pool\nbo@dm: [Valley]\n> There's no #99\nbo@dm: /goods\n> bread")


def test_a_pool_that_was_left_is_not_meant_any_more(store: Store) -> None:
    player = on_stage(store, TWO_POOLS + "bo@bakery: /me\nbo@bakery: /leave sure")
    act(player, "bo@dm: /goods\n> No goods yet")


def test_in_private_the_only_project_is_meant_else_the_bot_asks_which(store: Store) -> None:
    player = on_stage(store, "bo@dm: /task new Dishes 1h\n> #1.*\n> Hill Bakery\nbo@garden: /me")
    act(player, "bo@dm: /task new Weeding 1h\n> Which project\\?\n> \\[Hill Bakery\\] \\[Sunny Garden\\]")
    act(player, "bo@dm: [Sunny Garden]\n> #2 Weeding\n> Sunny Garden")


def test_the_choice_of_a_project_carries_its_pool(store: Store) -> None:
    """The numbers of projects are their pool's own: the same number is another project elsewhere."""
    player = on_stage(store, TWO_POOLS + "bo@garden: /me\nbo@dm: /task new Weeding 1h\n> Which project")
    act(player, "bo@mill: /me\nbo@dm: [Hill Bakery]\n> #1 Weeding\n> Hill Bakery")


def test_a_maintainer_is_asked_only_about_projects_they_maintain(store: Store) -> None:
    player = on_stage(store, "ana@garden: /me\nana@dm: /good new cake\n> Hill Bakery makes cake now")
    act(player, "bo@garden: /me\nbo@dm: /good new pie\n> Which project")


def test_without_a_project_there_is_none_to_act_for(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /pool code\n> code: (?P<code>\\S+)\nzoe@dm: /join {code}\n> Welcome")
    act(player, "zoe@dm: /task new Dishes 1h\n> This chat is no project's")


def test_an_archived_project_takes_nobody_in(store: Store) -> None:
    player = on_stage(store, "bo@garden: /handover\nana@bakery: /project archive\nana@bakery: [Yes]\n> archived|closed")
    act(player, "ana@dm: /task new Dishes 1h\n> no project's")


# Roles


@pytest.mark.parametrize(
    ("line", "refusal"),
    cases.table(
        """
        any         | zoe@dm: /goods                | You're in no pool here
        project     | dee@dm: /made bread 2 1h      | Sunny Garden doesn't make bread
        maintainer  | bo@bakery: /good new cake     | Only Hill Bakery's maintainers can do that: ask Ana
        steward     | bo@bakery: /pool code         | Only Valley's stewards can do that: ask Ana
        """
    ),
)
def test_each_role_is_asked_for(store: Store, line: str, refusal: str) -> None:
    player = on_stage(store)
    before = dump(store)
    act(player, f"{line}\n> {refusal}")
    assert dump(store) == before


def test_a_button_of_another_project_asks_for_its_people(store: Store) -> None:
    player = on_stage(store, "ana@bakery: /handover")
    message = posted(store)[-1]
    assert message.choices == ()
    act(player, "eve@garden: /me")
    with store.write() as session:
        choice = bakerys_button(session, player)
    press(player, "eve", "garden", choice)
    assert seen(player, "garden") == ["Only Hill Bakery's people can do that."]


def bakerys_button(session: Session, player: Player) -> str:
    """Put a button of the bakery into the garden, as an answer to a member of both might be."""
    row = Delivery(key="x", platform="console", chat_id=chat_named(session, "garden").id, priority=1, state="sent")
    bakery = chat_named(session, "bakery")
    choice = Choice("New", "task new Dishes 1h", bakery.pool_id or 0, bakery.project_id or 0)
    row.payload, row.created_at = Message(Text.of("?"), (choice,)).to_json(), player.now
    session.add(row)
    session.flush()
    return f"{row.id}:0"


def test_a_button_of_a_pool_somebody_is_not_in_opens_nothing(store: Store) -> None:
    player = on_stage(store, TWO_POOLS)
    with store.write() as session:
        row = Delivery(key="x", platform="console", chat_id=chat_named(session, "mill").id, priority=1, state="sent")
        pool_id = chat_named(session, "garden").pool_id or 0
        row.payload, row.created_at = Message(Text.of("?"), (Choice("Goods", "goods", pool_id),)).to_json(), player.now
        session.add(row)
        session.flush()
        choice = f"{row.id}:0"
    press(player, "fay", "mill", choice)
    assert "You're in no pool here" in seen(player, "mill")[0]


def test_what_access_has_not_found_nobody_can_use(store: Store) -> None:
    player = on_stage(store)
    found = event(Incoming.TEXT, "zoe", "attic")
    with store.write() as session:
        account = account_of(session, Sender("console", "zoe", "Zoe"))
        room = chat_of(session, found.place)
        desk = Desk(session, player.now, "test")
        context = Handling(player.house, desk, found, room, account).context("goods")
        context.enter(None)
        assert (context.has_pool, context.has_project, context.has_member) == (False, False, False)
        for name in ("pool", "project", "member", "pool_id"):
            with pytest.raises(LookupError):
                getattr(context, name)


def test_no_chat_of_one_person_is_a_projects(store: Store) -> None:
    player = on_stage(store)
    write(player, "ana", "dm:ana", "/project in K7Q2-M4PD")
    assert seen(player, "dm:ana")[0].startswith("That's for a group chat")
