"""Integer arrays from outside: checked once, put into rank order, grouped. Nothing here knows what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Figures = Integers | Sequence[int]  # what `integers` takes
Truths = npt.NDArray[np.bool_]

INTEGER_MIN = int(np.iinfo(np.int64).min)
INTEGER_MAX = int(np.iinfo(np.int64).max)
# Up to this many slots per rank, sorting by scattering beats sorting by comparing.
SPAN_PER_RANK_MAX = 4


def whole(name: str, value: int, minimum: int = INTEGER_MIN, maximum: int = INTEGER_MAX) -> int:
    """Return `value` as a Python int; ValueError, naming it, if it is no integer or out of bounds."""
    try:
        number = index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, not {type(value).__name__}") from None
    if not minimum <= number <= maximum:
        bound = f"at least {minimum}" if number < minimum else f"at most {maximum}"
        raise ValueError(f"{name} must be {bound}, not {number}")
    return number


def integers(name: str, values: npt.ArrayLike, minimum: int = INTEGER_MIN, maximum: int = INTEGER_MAX) -> Integers:
    """Return `values` as a (n,) int64 array; ValueError, naming it, if shape, type or an element is wrong.

    An empty sequence of any type is an empty array; a list of ints is taken as well.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}")
    if array.size == 0:
        return np.empty(0, np.int64)
    if not np.issubdtype(array.dtype, np.integer) or not np.can_cast(array.dtype, np.int64):
        raise ValueError(f"{name} must be integers that fit into int64, not {array.dtype}")
    whole(name, array.min(), minimum, maximum)
    whole(name, array.max(), minimum, maximum)
    return array.astype(np.int64, copy=False)


def same_length(**arrays: Integers) -> None:
    """ValueError, naming the first that differs, unless all arrays are as long as the first."""
    (first, expected), *others = arrays.items()
    for name, array in others:
        if array.size != expected.size:
            raise ValueError(f"{name} must be as long as {first}: {array.size} is not {expected.size}")


def rank_order(rank: Integers) -> Integers:
    """Return the (n,) indices that sort `rank`; ValueError if two ranks are equal."""
    if rank.size == 0:
        return np.empty(0, np.int64)
    lowest = int(rank.min())
    span = int(rank.max()) - lowest + 1
    if span <= SPAN_PER_RANK_MAX * rank.size:
        slots = np.full(span, -1, np.int64)
        slots[rank - lowest] = np.arange(rank.size)
        order = slots[slots >= 0]
        distinct = order.size == rank.size
    else:
        order = np.argsort(rank).astype(np.int64, copy=False)
        ascending = rank[order]
        distinct = bool((ascending[1:] != ascending[:-1]).all())
    if not distinct:
        raise ValueError("rank must be all different")
    return order


def grouped(group: Integers, groups: int) -> tuple[Integers, Integers]:
    """Group the elements of `group` (n,), values 0 .. groups-1, each group in the order given.

    Returns (order, start): the members of group g are `order[start[g]:start[g + 1]]`.
    """
    # numpy sorts 8- and 16-bit integers by counting: as good as linear.
    narrow = group.astype(np.min_scalar_type(groups))
    start = np.zeros(groups + 1, np.int64)
    np.cumsum(np.bincount(group, minlength=groups), out=start[1:])
    return np.argsort(narrow, kind="stable").astype(np.int64, copy=False), start


def place_in_group(group: Integers, groups: int) -> Integers:
    """Return for each element how many of its group come before it, (n,)."""
    order, start = grouped(group, groups)
    place = np.empty(group.size, np.int64)
    place[order] = np.arange(group.size) - np.repeat(start[:-1], np.diff(start))
    return place


def filled_in_order(room: Integers, total: int) -> Integers:
    """Return how many of `total` go into each of `room` (m,) when they are filled one after the other."""
    return np.diff(np.minimum(np.cumsum(room), total), prepend=np.int64(0))
