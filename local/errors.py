"""What goes wrong on one machine, each with a message that says what to do about it."""

from __future__ import annotations


class LocalError(RuntimeError):
    """Something on this machine keeps the service from starting or from staying up."""


class DataFolderError(LocalError):
    """The data folder cannot be used: not a folder, not ours, or not writable."""


class ServerError(LocalError):
    """An embedded server does not start, does not stop, or cannot be run by this user."""


class ChildError(LocalError):
    """A process of the service ended again and again, or never became ready."""
