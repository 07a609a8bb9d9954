"""The console's own few words; everything else that is read there comes from the pool."""

from __future__ import annotations

WELCOME = """\
{pool} · {members} people, {projects} projects · {now} · next round {round}
You are {name}, in {where}, and see what every channel receives. Try:
  /tasks   /goods   /want {good}   /me   /round     and /help for the rest
  2   presses the button with the number 2     3 1.5   answers message 3
  @{other}   be somebody else     #{channel}   go there     #dm   go private
  now +3d   or   now sun 18:00   moves the clock: watch what happens then
  help   tells more     quit   ends (or Ctrl-D); next time it goes on from here
"""
HELP = """\
  /…   !…       a command of the pool, said where you are, as the one you are
  5             presses the button with the number 5
  5 1.5         answers the message that has the number 5 (also: re 5: 1.5)
  @bo   @       be Bo; who there is        @bo /me   be Bo and say that
  #garden   #   go to #garden; which channels there are; #dm is private
  now           what time it is
  now +3d       moves the clock by weeks, days, hours or minutes (w, d, h, m)
  now sun 18:00 moves it to then; everything that is due until then happens
  help   quit   this page; the end (or Ctrl-D)
"""
NO_POOL = """\
No pool here yet. You are {name}, in {where}. To found one:  /pool new NAME
The console's own words:  help
"""
NO_NUMBER = "There is no {number} on screen. /tasks and /goods show buttons."
NEEDS_TEXT = "Type your answer behind the number, like:  {number} 1.5"
NOT_ASKED = "That message asks for no answer. Its buttons work by their number alone."
NOT_YOURS = "That is in {name}'s private chat. First:  @{handle}"
A_TASK = "To see a task:  /task {number}"
NOBODY = "Nobody answers. Commands begin with / and /help lists them. More: help"
NEWCOMER = "{name} is new, and joins by using a command in a project's channel."
NEW_CHANNEL = "#{channel} is new and no project's yet:  /project new NAME"
TOO_FAR = "At most a year at a time."
NOW = "It is {now}."
OTHERS = "(In private to {names}. To read it, e.g.:  @{handle} #dm)"
PRIVATE_CHAT = "{name}'s private chat"
YOUR_CHAT = "your private chat"
ANSWER = "…your answer"
HERE, CHANGED, EARLIER = "here", "changed", "earlier"
