"""The roles of an installation."""

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
# A service account above all tenants would be a super admin whose password is stored in a file.
SERVICE_ROLES = {name: role.name for role in ROLES if not role.platform for name in (role.name, *role.aliases)}
"""The roles that a service account may have, by name and by alias."""
