"""What an operator sets: VINC_TENANTS__PURGE_AFTER in the environment, or `purge_after` in plugins.toml."""

from typing import Annotated

from pydantic import Field

from vinc_kernel import Settings


class TenantsSettings(Settings):
    """How many days a tenant that was deleted can still be brought back."""

    purge_after: Annotated[int, Field(ge=0, le=3650)] = 30
