"""The errors of this plugin."""

from vinc_kernel import Conflict, VincError


class SlugTaken(Conflict):
    """The slug is taken, or once was: it is never given to a second tenant."""


class TenantClosing(Conflict):
    """The tenant is closing: reactivate it first."""


class TenantPurging(Conflict):
    """The tenant is being purged."""


class Refused(VincError):
    """A command is refused."""


class PurgeFailed(VincError):
    """A tenant could not be purged; nothing was deleted."""
