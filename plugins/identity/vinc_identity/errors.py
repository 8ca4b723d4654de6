"""The errors of this plugin."""

from vinc_kernel import Conflict, VincError


class SessionsNotEndable(Conflict):
    """Sessions of this issuer cannot be ended from here: disable the principal instead."""


class DisablesItself(Conflict):
    """Nobody disables themselves: let somebody else do it."""


class Refused(VincError):
    """A command is refused."""
