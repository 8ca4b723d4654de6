"""The capabilities of this plugin, and their guards."""

from vinc_kernel import Capability, require_capabilities

MANAGE = Capability("tenants.manage", title="Change the tenant and its settings", roles=["wholesale_admin"])
SWITCH = Capability("tenants.switch", title="Turn plugins on and off for the tenant")  # of the platform only
can_manage = require_capabilities(MANAGE)
can_switch = require_capabilities(SWITCH)
