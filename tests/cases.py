"""Cases as a small table: a line each, its name first, then its columns, which `|` separates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from core.arrays import Integers


def table(text: str) -> list[Any]:
    """Read a table into parameters for `pytest.mark.parametrize`, every column a string."""
    rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return [pytest.param(*columns, id=name) for name, *columns in rows]


def integers(text: str) -> Integers:
    """Read numbers separated by spaces."""
    return np.array(text.split(), np.int64)
