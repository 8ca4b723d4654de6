"""What each plugin adds to an application: exactly this."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ..pages import ROOT, page

NOTHING: dict[str, Any] = {
    "state": "ready",
    "why": "",
    "routes": [],
    "tables": [],
    "capabilities": [],
    "roles": [],
    "provides": [],
    "settings": [],
    "tenant_settings": [],
    "commands": [],
    "hooks": ["contribute"],
}
ADDED: dict[str, dict[str, list[str]]] = {
    "health": {
        "routes": ["GET /api/v1/health", "GET /api/v1/health/live", "GET /api/v1/health/ready"],
    },
    "tenants": {
        "routes": [
            "DELETE /api/v1/tenants/{tenant_id}",
            "GET /api/v1/tenants",
            "GET /api/v1/tenants/me",
            "GET /api/v1/tenants/{tenant_id}",
            "GET /api/v1/tenants/{tenant_id}/plugins",
            "GET /api/v1/tenants/{tenant_id}/settings",
            "PATCH /api/v1/tenants/{tenant_id}",
            "POST /api/v1/tenants",
            "POST /api/v1/tenants/{tenant_id}/reactivate",
            "POST /api/v1/tenants/{tenant_id}/suspend",
            "PUT /api/v1/tenants/{tenant_id}/plugins",
            "PUT /api/v1/tenants/{tenant_id}/settings",
        ],
        "tables": ["tenants_receipt", "tenants_tenant"],
        "capabilities": ["tenants.manage", "tenants.switch"],
        "provides": ["TenantDirectory"],
        "settings": ["purge_after"],
        "commands": ["close", "create", "demo", "list", "purge", "reactivate", "show", "suspend"],
        "hooks": ["contribute", "lifespan"],
    },
    "invoices": {
        "routes": [
            "DELETE /api/v1/invoices/{invoice_id}",
            "GET /api/v1/invoices",
            "GET /api/v1/invoices/{invoice_id}",
            "PATCH /api/v1/invoices/{invoice_id}",
            "POST /api/v1/invoices",
        ],
        "tables": ["invoices_invoice"],
        "capabilities": ["invoices.manage"],
        "settings": ["printer_url"],
        "tenant_settings": ["days"],
        "commands": ["remind"],
        "hooks": ["contribute", "lifespan"],
    },
    "identity": {
        "routes": [
            "GET /api/v1/identity/me",
            "GET /api/v1/identity/principals",
            "GET /api/v1/identity/principals/{principal_id}",
            "POST /api/v1/identity/principals/{principal_id}/disable",
            "POST /api/v1/identity/principals/{principal_id}/enable",
            "POST /api/v1/identity/principals/{principal_id}/end-sessions",
            "POST /api/v1/identity/sessions/end",
        ],
        "tables": ["identity_principal"],
        "roles": """
            agent agent_admin reseller super_admin viewer wholesale_admin wholesaler_helpdesk
        """.split(),
        "provides": ["PrincipalDirectory"],
        "commands": [
            *"create-super-admin disable enable end-sessions invite list".split(),
            *(f"service-account {verb}" for verb in "create delete disable enable end list new-secret".split()),
        ],
        "hooks": ["contribute", "lifespan"],
    },
    "devissuer": {
        "routes": [
            "GET /api/v1/devissuer/.well-known/openid-configuration",
            "GET /api/v1/devissuer/jwks",
            "GET /api/v1/devissuer/password",
            "POST /api/v1/devissuer/password",
            "POST /api/v1/devissuer/token",
        ],
        "tables": ["devissuer_failure", "devissuer_invite", "devissuer_key", "devissuer_session", "devissuer_user"],
        "settings": ["access_minutes", "refresh_hours", "url"],
        "commands": ["demo", "locked", "rotate-keys", "token", "unlock", "users"],
        "hooks": ["contribute", "lifespan"],
    },
    "keycloak": {
        "settings": """
            admin_client_id admin_client_secret admin_password admin_user_realm admin_username
            allowed_addresses_attribute allowed_customers_attribute allowed_wholesalers_attribute client
            generation_attribute issuer multi_tenant_attribute password_grant realm redirect_uris role_attribute
            server_url smtp_from smtp_from_name smtp_host smtp_password smtp_port smtp_ssl smtp_starttls
            smtp_user timeout verify_ssl web_origins
        """.split(),
        "commands": ["bootstrap"],
        "hooks": ["contribute", "lifespan"],
    },
}
FOLDERS = {name: f"plugins/{name}" for name in ADDED} | {"invoices": "examples/acme-invoices"}


@cache
def added() -> dict[str, Any]:
    """By plugin what it adds; of those that are installed, and of the example."""
    with TemporaryDirectory() as folder:
        pretend_installed(ROOT / "examples/acme-invoices", Path(folder))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VINC_")}
        path = os.pathsep.join([folder, str(ROOT / "examples/acme-invoices")])
        done = subprocess.run(
            [sys.executable, "-m", "vinc_kernel.cli", "plugins", "--loaded", "--json"],
            cwd=folder,
            env={**clean, "VINC_ENV": "test", "PYTHONPATH": path},
            capture_output=True,
            timeout=60,
            check=True,
        )
    return {told["name"]: {key: told.get(key) for key in NOTHING} for told in json.loads(done.stdout)}


def pretend_installed(distribution: Path, folder: Path) -> None:
    """Write the metadata that an installation would; the code is found where it is."""
    project = tomllib.loads((distribution / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{needs}"
    )
    points = project["entry-points"]["vinc.plugins"].items()
    (info / "entry_points.txt").write_text(
        "[vinc.plugins]\n" + "".join(f"{name} = {module}\n" for name, module in points)
    )


@pytest.mark.parametrize("plugin", ADDED)
def test_a_plugin_adds_exactly_this(plugin: str) -> None:
    assert added()[plugin] == {**NOTHING, **ADDED[plugin]}


@pytest.mark.parametrize(("plugin", "folder"), FOLDERS.items())
def test_a_readme_names_all_that_its_plugin_adds(plugin: str, folder: str) -> None:
    told, readme = added()[plugin], page(f"{folder}/README.md")
    names = [*(route.replace("/api/v1", "") for route in told["routes"]), *told["tables"], *told["capabilities"]]
    names += [*(f"VINC_{plugin}__{key}".upper() for key in told["settings"]), *told["provides"]]
    commands = [f"vinc {plugin} {command}" for command in told["commands"]]

    assert [name for name in names if f"`{name}`" not in readme] == []
    assert [words for words in commands if f"`{words}" not in readme] == []


def test_every_plugin_of_this_repository_is_in_this_list() -> None:
    folders = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/pyproject.toml")}

    assert folders == set(FOLDERS.values())
    assert set(added()) == set(FOLDERS)
