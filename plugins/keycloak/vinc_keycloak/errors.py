"""What Keycloak answers that is no success; importing this does not import python-keycloak."""

from vinc_identity.contracts import ProviderUnavailable
from vinc_kernel import StartError, VincError

FORBIDDEN, NOT_FOUND, CONFLICT, SERVER_ERROR = 403, 404, 409, 500


class Refused(ProviderUnavailable):
    """Keycloak answers that it does not do this. `status` is that of its answer."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class AudienceIsAClient(VincError):
    """A client of this realm is called like our audience."""


class ScopeIsLost(VincError):
    """The realm has not even the scopes that Keycloak makes by itself."""


def absent() -> StartError:
    """There is no Keycloak: nobody has said where it is."""
    return StartError(
        "nobody has said where Keycloak is",
        plugin="keycloak",
        phase="settings",
        where="VINC_KEYCLOAK__SERVER_URL",
        cure="set it, or let another plugin sign people in: vinc plugins disable keycloak",
    )
