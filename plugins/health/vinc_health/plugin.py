"""Health: whether this process lives, and whether what it needs is there."""

from vinc_kernel import Contribution, hooks


@hooks.contribute
def contribute() -> Contribution:
    from .router import router  # commands that need no routes don't pay for them

    return Contribution(routers=[router])
