"""The settings of this plugin: VINC_DEVISSUER__URL in the environment, or `url` in plugins.toml."""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from vinc_kernel import Settings

# It is compared literally, and prefixes addresses: only normalised URLs are accepted.
is_issuer_url = re.compile(
    r"https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*"
).fullmatch


def check_issuer_url(text: str) -> str:
    """Return a URL without query, fragment and trailing slash (OpenID Connect Discovery 1.0, 3); raises ValueError."""
    if not is_issuer_url(text):
        message = "write it as http://localhost:8000/api/v1/devissuer, without a slash at its end"
        raise ValueError(message)
    return text


class DevissuerSettings(Settings):
    """The issuer's address as clients reach it, and how long its tokens live.

    Access and ID tokens live `access_minutes`; a session, in which they are renewed, ends after `refresh_hours`.
    """

    url: Annotated[str, AfterValidator(check_issuer_url)] | None = None
    access_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    refresh_hours: Annotated[int, Field(ge=1, le=720)] = 12

    def not_for_production(self) -> Iterable[str]:
        """The demo accounts and their password are public."""
        yield (
            "VINC_ENV: it is prod, as it is when it is not set, and this plugin is for development and tests: "
            "vinc plugins disable devissuer, and enable keycloak, or another plugin that signs people in"
        )
