"""Every route as two tenants: neither sees, changes or detects what is the other's."""

from .described import Described, NotDescribed
from .overhear import overhear
from .planted import NotExercised
from .two_tenants import TwoTenants, routes_of

__all__ = ["Described", "NotDescribed", "NotExercised", "TwoTenants", "overhear", "routes_of"]
