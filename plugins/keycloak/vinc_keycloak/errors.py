"""The errors of this plugin; importing this does not import python-keycloak."""

from vinc_identity.contracts import ProviderUnavailable
from vinc_kernel import VincError

NOT_FOUND, CONFLICT, SERVER_ERROR = 404, 409, 500


class Refused(ProviderUnavailable):
    """Keycloak refuses a call. `status` is that of its response."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class AudienceIsAClient(VincError):
    """A client of the realm has the name of our audience."""


class ScopeIsLost(VincError):
    """The realm lacks a scope that Keycloak creates by default."""
