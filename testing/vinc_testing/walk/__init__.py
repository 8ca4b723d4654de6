"""Every route as two tenants: neither sees, changes or detects what belongs to the other."""

from .seeding import NotExercised
from .templates import NotDescribed
from .two_tenants import SharedHarness, TwoTenants, route_names

__all__ = ["NotDescribed", "NotExercised", "SharedHarness", "TwoTenants", "route_names"]
