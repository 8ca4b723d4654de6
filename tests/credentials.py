"""Who asks, in one word: `alice;viewer;acme,globex` is a subject, a role and tenants."""

from vinc_kernel.settings import JwtSettings
from vinc_testing.servers import TOKEN_SECRET
from vinc_testing.tokens import bearer

# For applications that are made of settings and not of the environment.
JWT = JwtSettings.model_validate({"test_secret": TOKEN_SECRET})


def credentials(who: str) -> dict[str, str]:
    """The header with a token for them."""
    subject, role, tenants = who.split(";")
    return bearer(subject, role, [one for one in tenants.split(",") if one])
