"""The settings of this plugin: VINC_TENANTS__PURGE_AFTER, or `purge_after` in plugins.toml."""

from typing import Annotated

from pydantic import Field

from vinc_kernel import Settings


class TenantsSettings(Settings):
    """For how many days a deleted tenant can be reactivated."""

    purge_after: Annotated[int, Field(ge=0, le=3650)] = 30
