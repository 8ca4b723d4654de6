"""The roles of an installation, and the guard that the platform's own routes share."""

from vinc_kernel import Role

SUPER_ADMIN = "super_admin"
ROLES = (
    Role(name=SUPER_ADMIN, title="Super admin", rank=100, platform=True),
    Role(
        name="wholesale_admin",
        title="Wholesale admin",
        rank=60,
        aliases=["supplier_admin", "wholesaler_admin"],
    ),
    Role(name="wholesaler_helpdesk", title="Wholesaler helpdesk", rank=50, aliases=["supplier_helpdesk"]),
    Role(name="agent_admin", title="Agent admin", rank=40),
    Role(name="agent", title="Agent", rank=30),
    Role(name="reseller", title="Reseller", rank=20),
    Role(name="viewer", title="Viewer", rank=10),
)
# A machine that stood above all tenants would be a super admin whose password lies in a file.
OF_SERVICES = {name: role.name for role in ROLES if not role.platform for name in (role.name, *role.aliases)}
"""The roles that a service account may have, each by its own name and by its aliases."""
