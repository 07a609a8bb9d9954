"""Matrix: rooms, encrypted or not, over matrix-nio."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from adapters.matrix.client import Matrix

if TYPE_CHECKING:
    from adapters.post import Door
    from adapters.settings import MatrixSettings


def connect(settings: MatrixSettings, door: Door) -> Matrix:
    """Return the adapter; nothing is sent or asked before its `start`."""
    logging.getLogger("nio").setLevel(logging.ERROR)  # what it warns of is our business to handle, or to tell
    return Matrix(settings, door)
