"""Health: liveness and readiness of a process."""

from vinc_kernel import Contribution, hooks


@hooks.contribute
def contribute() -> Contribution:
    from .router import router  # commands that need no routes don't pay for them

    return Contribution(routers=[router])
