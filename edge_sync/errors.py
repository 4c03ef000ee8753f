"""What goes wrong at a gateway, in one line for a person; the command line prints it without a stack trace."""

from __future__ import annotations


class EdgeError(Exception):
    """What is wrong, where, and what to do."""


class MapError(EdgeError):
    """A file map that cannot be used: names the file, the key and the value."""


class SourceError(EdgeError):
    """A source file that cannot be read as its map says."""


class ShapeError(EdgeError):
    """The columns of a file are not those that its map names; whoever knows the file's name puts it in front."""


class AlreadyRunning(EdgeError):
    """Another process does the same for this gateway."""


class SyncError(EdgeError):
    """The upload stopped; what was not sent is still in the outbox."""
