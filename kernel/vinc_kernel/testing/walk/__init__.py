"""Every route as two tenants: neither sees, changes or detects what is the other's."""

from .described import Described, NotDescribed
from .never_meet import TwoTenants, routes_of
from .overhear import overhear
from .planted import NotExercised

__all__ = ["Described", "NotDescribed", "NotExercised", "TwoTenants", "overhear", "routes_of"]
