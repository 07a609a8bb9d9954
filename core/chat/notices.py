"""Turn what happened into messages for those whom it concerns, in the transaction in which it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import events as ev
from core.chat import notices_goods, notices_tasks, views
from core.chat.accounts import account_shown
from core.chat.cards import good_subject, task_subject
from core.chat.choices import quoted
from core.chat.message import Choice, Message, Priority
from core.identity import private_chat_of
from core.members import maintainers
from core.tables import Pool, Product, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.chat.desk import Desk
    from core.chat.say import Say


def tell(desk: Desk, happened: Iterable[ev.Event]) -> None:
    """Write the notices for everything that happened, and mark the cards that show it."""
    for event in happened:
        if isinstance(event, ev.TaskEvent):
            desk.mark(event.task.pool_id, task_subject(event.task))
            _mark_product(desk, event.task)
        if isinstance(event, ev.GoodEvent):
            desk.mark(event.good.pool_id, good_subject(event.good))
        write = WRITERS.get(type(event))
        if write is not None:
            write(desk, event)


def _mark_product(desk: Desk, task: Task) -> None:
    if task.product_id is not None:
        good = views.good_of(desk.session, desk.session.get_one(Product, (task.pool_id, task.product_id)))
        desk.mark(task.pool_id, good_subject(good))


def _join_requested(desk: Desk, event: ev.JoinRequested) -> None:
    name = event.member.name

    def write(say: Say) -> Message:
        place = event.project.name if event.project else event.pool.name
        project_id = event.project.id if event.project else 0
        pool_id = event.member.pool_id
        admit = Choice(str(say("Admit {name}", name=name)), f"admit {quoted(name)}", pool_id, project_id)
        refuse = Choice(str(say("Refuse {name}", name=name)), f"refuse {quoted(name)}", pool_id, project_id)
        return Message(say("{name} would like to join {place}.", name=name, place=place), (admit, refuse))

    if event.project is None:
        desk.to_stewards(event.pool, write)
        return
    for member in maintainers(desk.session, event.project):
        desk.to_member(member, write)
    desk.ask_channels(event.pool.id, event.project.id, write)


def _admitted(desk: Desk, event: ev.Admitted) -> None:
    def write(say: Say) -> Message:
        if event.refused:
            return Message(say("{place} did not let you in.", place=event.place))
        return Message(say("You're in {place} now. What there is: `/goods`, what to do: `/tasks`", place=event.place))

    desk.to_member(event.member, write)


def _linked(desk: Desk, event: ev.Linked) -> None:
    """Tell the other accounts at once, in their private chats: should it be news to them, they can say so."""
    for chat in filter(None, [private_chat_of(desk.session, account) for account in event.others]):
        say = desk.say_in(chat)
        text = say(
            "{account} is one person with you now. You didn't do that? Tell your pool's stewards: `/pool`",
            account=account_shown(say, event.account),
        )
        desk.post(chat, Message(text), Priority.NOTICE)


def _project_founded(desk: Desk, event: ev.ProjectFounded) -> None:
    pool = desk.session.get_one(Pool, event.project.pool_id)

    def write(say: Say) -> Message:
        remove = Choice(
            str(say("Remove {project}", project=event.project.name)), "project archive", pool.id, event.project.id
        )
        return Message(
            say("{name} founded the project **{project}**.", name=event.member.name, project=event.project.name),
            (remove,),
        )

    desk.to_stewards(pool, write, but=event.member.id)


WRITERS: dict[type, Callable[[Desk, Any], None]] = {
    **notices_tasks.WRITERS,
    **notices_goods.WRITERS,
    ev.JoinRequested: _join_requested,
    ev.Admitted: _admitted,
    ev.Linked: _linked,
    ev.ProjectFounded: _project_founded,
}
