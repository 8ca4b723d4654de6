"""The demo accounts of `./dev up`, which sign in with the development issuer."""

import tomllib
from collections.abc import Mapping

from .service import Address
from .state import ROOT

PLUGIN = "devissuer"
COMMANDS = [[PLUGIN, "demo"]]
ROLES = ("admin", "helpdesk", "agentadmin", "agent", "reseller", "viewer")
TENANTS = ("acme", "globex")
PASSWORD = "vinc-demo-password"  # noqa: S105 - everybody's, and of no use in production


def is_enabled(given: Mapping[str, str]) -> bool:
    """Whether the development issuer runs; without a manifest every plugin does."""
    manifest = ROOT / given.get("VINC_PLUGINS_FILE", "plugins.toml")
    if not manifest.is_file():
        return True
    listed = tomllib.loads(manifest.read_text("utf-8")).get("plugins", {}).get(PLUGIN)
    return listed is not None and bool(listed.get("enabled", True))


def settings(address: Address, given: Mapping[str, str]) -> dict[str, str]:
    """Where the issuer is reached: links and the discovery document are made of it."""
    return {"VINC_DEVISSUER__URL": f"{address.url}{given.get('VINC_API_V1_PREFIX', '/api/v1')}/{PLUGIN}"}


def rows(address: Address, given: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    me = f"{address.url}{given.get('VINC_API_V1_PREFIX', '/api/v1')}/identity/me"
    accounts = ["super@vinc.example"]
    accounts += [" ".join(f"{role}@{tenant}.example" for role in ROLES) for tenant in TENANTS]
    accounts += ["admin2@acme.example (both tenants)", f"each with the password {PASSWORD}"]
    printed = "$(./dev vinc devissuer token --email admin@acme.example)"
    signed_in = [f"{address.url}/docs, Authorize", f'curl -H "Authorization: Bearer {printed}" {me}']
    return [("Accounts", accounts), ("Sign in", signed_in)]
