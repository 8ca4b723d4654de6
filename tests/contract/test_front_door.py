"""The four modules that plugins import from have exactly these public names, and the page explains each of them."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import vinc_kernel
import vinc_kernel.rest
import vinc_migrations
import vinc_testing
from vinc_testing import fixtures

from ..pages import page, rows, section

PROMISED = {
    "vinc_kernel": """
        App BadRequest Base Cache Capability CommandGroup Conflict Context Contribution CurrentApp CurrentContext
        CurrentPrincipal CurrentTenant Event Forbidden HealthCheck Issuer MembershipDirectory NotFound OrmSession
        PlatformOwned Principal PrincipalDirectory Problem Role Session Settings SignIn StartError Tenant
        TenantDirectory TenantOwned TenantSettings Unauthorized VincError current_principal get_tenant_id hooks inject
        is_tls_or_loopback logger platform_only platform_session print_table public require_capabilities require_roles
        signed_in tenant_or_platform
    """,
    "vinc_kernel.rest": """
        AuditColumns Boolean Date IfMatch Integer Json ListQuery Listing Money Page PreconditionFailed RequestModel
        ResourceModel Text UtcDateTime WithETag delete_one optional update_one uuid7
    """,
    "vinc_migrations": """
        bypass_row_level_security create_index_concurrently data_migration disable_append_only
        disable_row_level_security enable_append_only enable_row_level_security
    """,
    "vinc_testing": "Client ClientAs Clock Database MakeToken Servers TwoTenants VincApp eventually plugin_settings",
}
FACES: dict[str, ModuleType] = {
    face.__name__: face for face in (vinc_kernel, vinc_kernel.rest, vinc_migrations, vinc_testing)
}
FIXTURES = """
    client client_as two_tenants vinc_app vinc_clock vinc_database vinc_environment vinc_make_app vinc_plugins
    vinc_second_app vinc_servers vinc_token vinc_worker vinc_worker_database
"""


@pytest.mark.parametrize("face", PROMISED)
def test_a_face_promises_exactly_these_names(face: str) -> None:
    assert FACES[face].__all__ == PROMISED[face].split()


@pytest.mark.parametrize("face", PROMISED)
def test_every_promised_name_is_there(face: str) -> None:
    assert [name for name in FACES[face].__all__ if not hasattr(FACES[face], name)] == []


@pytest.mark.parametrize("face", ["vinc_kernel", "vinc_kernel.rest", "vinc_migrations"])
def test_a_face_shows_nothing_besides(face: str) -> None:
    shown = {name for name, thing in vars(FACES[face]).items() if not isinstance(thing, ModuleType)}

    assert sorted(name for name in shown if not name.startswith("_") and name not in FACES[face].__all__) == []


@pytest.mark.parametrize("face", PROMISED)
def test_the_page_for_authors_explains_these_names_and_no_others(face: str) -> None:
    explained = [name for name, *_ in rows(section(page("docs/plugins.md"), f"## Names of `{face}`"))]
    fixtures_too = FIXTURES.split() if face == "vinc_testing" else []

    assert sorted(explained) == sorted([*PROMISED[face].split(), *fixtures_too])


def test_the_page_for_authors_explains_every_member_of_app() -> None:
    explained = re.findall(r"`(\w+)[`(]", section(page("docs/plugins.md"), "## The class `App`"))

    assert [name for name in dir(vinc_kernel.App) if not name.startswith("_") and name not in explained] == []


def test_the_pytest_plugin_offers_exactly_these_fixtures() -> None:
    kinds = {name: type(thing).__name__ for name, thing in vars(fixtures).items() if not name.startswith("_")}
    offered = [name for name, kind in kinds.items() if kind == "FixtureFunctionDefinition"]

    assert sorted(offered) == FIXTURES.split()
