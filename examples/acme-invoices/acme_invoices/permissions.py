"""The capabilities of this plugin, and their guards."""

from vinc_kernel import Capability, require_capabilities

MANAGE = Capability("invoices.manage", title="Write and read invoices", roles=["wholesale_admin"])
can_manage = require_capabilities(MANAGE)
