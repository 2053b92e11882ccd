"""Files of a repository: the events of a real history, and an aggregate that adds them up."""

from __future__ import annotations

from dynamo_es import Aggregate, Event, Snapshot


class FileEvent(Event):
    """What a commit did to a file; lines are None where the file is binary."""

    commit: str
    lines_added: int | None
    lines_deleted: int | None


class FileAdded(FileEvent):
    __event_name__ = "FileAdded"


class FileModified(FileEvent):
    __event_name__ = "FileModified"


class FileRenamed(FileEvent):
    __event_name__ = "FileRenamed"

    renamed_from: str


class FileDeleted(FileEvent):
    __event_name__ = "FileDeleted"


class FileState(Snapshot):
    __event_name__ = "FileState"

    lines: int
    names: list[str]
    exists: bool


class File(Aggregate):
    category = "file"

    def __init__(self) -> None:
        self.lines = 0
        self.names: list[str] = []
        self.exists = False

    def modify(self, commit: str, added: int, deleted: int) -> None:
        self._emit(FileModified(commit=commit, lines_added=added, lines_deleted=deleted))

    def __apply__(self, event: Event) -> None:
        assert isinstance(event, FileEvent)
        self.lines += (event.lines_added or 0) - (event.lines_deleted or 0)
        self.exists = not isinstance(event, FileDeleted)
        if isinstance(event, FileRenamed):
            self.names.append(event.renamed_from)

    def __snapshot__(self) -> FileState:
        return FileState(lines=self.lines, names=self.names, exists=self.exists)

    def __restore__(self, state: Snapshot) -> None:
        assert isinstance(state, FileState)
        self.lines, self.names, self.exists = state.lines, state.names, state.exists
