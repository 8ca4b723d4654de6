"""Capabilities of invoices, and the guards that require them."""

from vinc_kernel import Capability, require_capabilities

MANAGE = Capability("invoices.manage", title="Read and write invoices", roles=["wholesale_admin"])
can_manage = require_capabilities(MANAGE)
