"""Every route as two tenants: neither sees, changes or detects what is the other's."""

from vinc_testing import TwoTenants


async def test_two_tenants_never_meet(two_tenants: TwoTenants) -> None:
    await two_tenants.assert_isolated()
