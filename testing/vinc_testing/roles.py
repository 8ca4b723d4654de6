"""The role of the platform, as a plugin: for testing where no plugin called `identity` is installed."""

from __future__ import annotations

from vinc_kernel import hookspecs as hooks
from vinc_kernel.contracts import Contribution, Role


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(roles=[Role(name="super_admin", title="Super admin", rank=100, platform=True)])
