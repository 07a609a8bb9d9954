"""What a loss of power can leave of a SQLite database: every write and sync is recorded, and images are made of them.

What was synced is there. Of what was written since, any sector may be there or not: disks reorder.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from random import Random

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Operation:
    """Something done to a file: bytes written at an offset, cut to a size, synced, deleted; or a commit was told."""

    kind: str
    name: str = ""
    offset: int = 0
    data: bytes = b""


class RecordingFile(apsw.VFSFile):
    """A file of which everything that changes it is recorded."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        full = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.disk, self.name = disk, Path(full).name if full else ""
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.record(Operation("write", self.name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self.disk.record(Operation("cut", self.name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self.disk.record(Operation("sync", self.name))


class Disk(apsw.VFS):
    """A file system that records what is done to its files. `operations` is the whole story, in order."""

    def __init__(self, name: str) -> None:
        self.operations: list[Operation] = []
        super().__init__(name, "unix")

    def record(self, operation: Operation) -> None:
        if operation.name:  # temporary files have none, and nobody looks for them after a loss of power
            self.operations.append(operation)

    def committed(self) -> None:
        """Note that somebody was told of a commit."""
        self.operations.append(Operation("commit"))

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return RecordingFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        super().xDelete(filename, syncdir)
        self.record(Operation("delete", Path(filename).name))


@dataclass
class Image:
    """The files as the disk has them; what was not synced is `pending`."""

    files: dict[str, bytes]
    pending: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    commit_count: int = 0

    def follow(self, operation: Operation) -> None:
        """Take in the next thing that was done."""
        match operation.kind:
            case "commit":
                self.commit_count += 1
            case "sync":
                for one in self.pending.pop(operation.name, []):
                    self.files[operation.name] = _applied(self.files.get(operation.name, b""), one)
            case "delete":
                self.files.pop(operation.name, None)
                self.pending.pop(operation.name, None)
            case _:
                self.pending[operation.name].append(operation)

    def write(self, folder: Path, random: Random) -> None:
        """Write files that a loss of power at this moment can leave."""
        for name in {*self.files, *self.pending}:
            content = self.files.get(name, b"")
            share = random.choice((0.0, 0.3, 0.7, 1.0))
            for operation in self.pending.get(name, []):
                for part in _sectors(operation):
                    content = _applied(content, part) if random.random() < share else content
            (folder / name).write_bytes(content)


def _sectors(operation: Operation) -> list[Operation]:
    """Return what of an operation can happen by itself."""
    if operation.kind != "write":
        return [operation]
    ends = range(SECTOR - operation.offset % SECTOR, len(operation.data) + SECTOR, SECTOR)
    begin, parts = 0, []
    for end in ends:
        data = operation.data[begin:end]
        if data:
            parts.append(Operation("write", operation.name, operation.offset + begin, data))
        begin = end
    return parts


def _applied(content: bytes, operation: Operation) -> bytes:
    if operation.kind == "cut":
        return content[: operation.offset]
    begin, end = operation.offset, operation.offset + len(operation.data)
    return content[:begin].ljust(begin, b"\0") + operation.data + content[end:]
