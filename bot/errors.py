"""What can go wrong because of somebody's input: lines for the terminal, exit code 2, never a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something only the person at the terminal can put right; one line for each fault."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
