"""Sending one parcel: as a new message or several, as an edit, as a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telegram import ForceReply, InputFile, LinkPreviewOptions, ReplyParameters
from telegram.error import BadRequest

from adapters.telegram.api import UNCHANGED, UNEDITABLE
from adapters.telegram.entities import CAPTION_UNITS_MAX, Piece, pieces
from adapters.telegram.incoming import reference
from adapters.telegram.keyboard import asked, keyboard, under
from core.chat.message import Priority
from core.chat.text import Style, Text

if TYPE_CHECKING:
    from typing import Any

    from telegram import InlineKeyboardMarkup

    from adapters.telegram.api import Api
    from adapters.telegram.limits import Limits
    from core.chat.port import Parcel

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
UNFINISHED_MAX = 1_000


class Outgoing:
    """What goes out. A long text that stopped half way goes on there when it is tried again."""

    def __init__(self, api: Api, limits: Limits) -> None:
        self._api = api
        self._limits = limits
        self._sent: dict[str, list[str]] = {}

    async def send(self, parcel: Parcel) -> str:
        """Send a parcel; return the reference of its message, of several the last. Raises TelegramError."""
        if parcel.edits and await self._is_edited(parcel):
            return parcel.edits
        found, done = self._pieces(parcel), self._sent.pop(parcel.key, [])
        try:
            for index in range(len(done), len(found)):
                done.append(await self._new(parcel, found[index], is_first=index == 0, is_last=index == len(found) - 1))
        finally:
            if 0 < len(done) < len(found):
                self._keep(parcel.key, done)
        return done[-1] if done else ""

    def _keep(self, key: str, done: list[str]) -> None:
        self._sent[key] = done
        if len(self._sent) > UNFINISHED_MAX:
            del self._sent[next(iter(self._sent))]

    def _pieces(self, parcel: Parcel) -> list[Piece]:
        """Return the messages it takes; a file has its text below it, if that is short."""
        message, somebody = parcel.message, asked(parcel)
        text = message.text
        if somebody is not None:
            text = Text.of(somebody.name, Style.MENTION, str(message.mentions[0])) + ": " + text
        found = pieces(text, parcel.accounts)
        if message.file is None:
            return found
        caption = pieces(text, parcel.accounts, CAPTION_UNITS_MAX)
        return caption if len(caption) == 1 else [*found, Piece("")]

    async def _is_edited(self, parcel: Parcel) -> bool:
        """Edit the message a parcel replaces; return False where it has to come as a new one."""
        address, _, message_id = parcel.edits.partition("/")
        found = self._pieces(parcel)
        if len(found) != 1 or parcel.message.file is not None:
            return False
        await self._turn(parcel)
        # A group that has moved counts its messages anew: its old ones cannot be edited.
        number = int(message_id) if address == parcel.place.address else 0
        try:
            await self._edit(parcel, number, found[0], keyboard(parcel, self._api.username))
        except BadRequest as error:
            words = error.message.casefold()
            if UNCHANGED in words:
                return True
            # A card somebody deleted stays deleted; whoever pressed a button waits for the answer.
            if parcel.message.subject or not any(one in words for one in UNEDITABLE):
                raise
            return False
        return True

    async def _edit(self, parcel: Parcel, message_id: int, piece: Piece, markup: InlineKeyboardMarkup | None) -> None:
        await self._api.edit_message_text(
            piece.text,
            chat_id=int(parcel.place.address),
            message_id=message_id,
            entities=piece.entities,
            reply_markup=markup,
            link_preview_options=NO_PREVIEW,
        )

    async def _new(self, parcel: Parcel, piece: Piece, *, is_first: bool, is_last: bool) -> str:
        """Send one message: the first answers, the last has the buttons and the file."""
        await self._turn(parcel)
        markup = under(parcel, self._api.username) if is_last else None
        options: dict[str, Any] = {
            "chat_id": int(parcel.place.address),
            "message_thread_id": int(parcel.place.topic) if parcel.place.topic else None,
            "reply_markup": markup,
            "reply_parameters": self._reply(parcel, has_to=isinstance(markup, ForceReply)) if is_first else None,
            "disable_notification": parcel.priority == Priority.NOTICE and not parcel.place.private,
        }
        if is_last and parcel.message.file is not None:
            name, content = parcel.message.file
            file = InputFile(content.encode(), filename=name)
            sent = await self._api.send_document(
                document=file, caption=piece.text or None, caption_entities=piece.entities or None, **options
            )
        else:
            sent = await self._api.send_message(
                text=piece.text, entities=piece.entities, link_preview_options=NO_PREVIEW, **options
            )
        return reference(parcel.place.address, sent.message_id)

    @staticmethod
    def _reply(parcel: Parcel, *, has_to: bool) -> ReplyParameters | None:
        """Return what a message answers; in private that is plain."""
        address, _, message_id = parcel.message.reply_to.partition("/")
        if address != parcel.place.address or not message_id.isdigit() or (parcel.place.private and not has_to):
            return None
        return ReplyParameters(int(message_id), allow_sending_without_reply=True)

    async def _turn(self, parcel: Parcel) -> None:
        """Wait until something may be sent at all."""
        await asyncio.sleep(self._limits.take(parcel.place.address, parcel.chat_id))
