"""The role of the platform, as a plugin: for testing where no plugin called `identity` is installed."""

from __future__ import annotations

from vinc_kernel import hookspecs as hooks
from vinc_kernel.contracts import Contribution, Role

NAME_OF_STAND_IN = "Super admin of tests"


@hooks.contribute
def contribute() -> Contribution:
    return Contribution(roles=[Role(name="super_admin", title=NAME_OF_STAND_IN, rank=100, platform=True)])
