"""The requests and responses; no request has a field that only the service may set."""

from typing import Literal

from pydantic import ConfigDict, JsonValue, StrictBool

from vinc_kernel.rest import Json, RequestModel, ResourceModel, Text, UtcDateTime, optional

from .fields import Address, Email, LogoUrl, Name, Number, Slug

Status = Literal["active", "suspended", "closing", "purging", "purged"]
DETAILS: dict[str, JsonValue] = {
    "name": "Acme",
    "legal_name": "Acme Ltd",
    "legal_address": "1 Long Lane\nLondon EC1A 9HF\nUnited Kingdom",
    "legal_email": "office@acme.example.com",
    "legal_number": "01234567",
    "tax_id": "GB123456789",
    "logo_url": "https://acme.example.com/logo.svg",
}


class NewTenant(RequestModel):
    """A new tenant. Its slug never changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"slug": "acme", **DETAILS}]})

    slug: Slug
    name: Name
    legal_name: Name | None = None
    legal_address: Address | None = None
    legal_email: Email | None = None
    legal_number: Number | None = None
    tax_id: Number | None = None
    logo_url: LogoUrl | None = None


class TenantChange(RequestModel):
    """A change of a tenant: an omitted field is unchanged, and null clears it."""

    model_config = ConfigDict(json_schema_extra={"examples": [DETAILS]})

    name: Name = optional()
    legal_name: Name | None = optional()
    legal_address: Address | None = optional()
    legal_email: Email | None = optional()
    legal_number: Number | None = optional()
    tax_id: Number | None = optional()
    logo_url: LogoUrl | None = optional()


class TenantOut(ResourceModel):
    """A tenant. A closing one is purged after `purge_after`."""

    slug: Text
    name: Text
    legal_name: Text | None
    legal_address: Text | None
    legal_email: Text | None
    legal_number: Text | None
    tax_id: Text | None
    logo_url: Text | None
    status: Status
    purge_after: UtcDateTime | None


class Choices(ResourceModel):
    """A tenant's choices as stored; the responses have other shapes."""

    slug: Text
    settings: dict[str, dict[str, Json]]
    disabled_plugins: list[str]


SettingsByPlugin = dict[str, dict[str, Json]]
"""A tenant's settings, by plugin."""
SwitchByPlugin = dict[str, StrictBool]
"""Whether each plugin that can be turned off for a tenant is on."""
