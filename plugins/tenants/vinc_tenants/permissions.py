"""What one may be allowed to do with one's own tenant."""

from vinc_kernel import Capability, require_capabilities

MANAGE = Capability("tenants.manage", title="Change the tenant and its settings", roles=["wholesale_admin"])
SWITCH = Capability("tenants.switch", title="Turn plugins on and off for the tenant")  # nobody's but the platform's
can_manage = require_capabilities(MANAGE)
can_switch = require_capabilities(SWITCH)
