"""What is sent and answered; what is ours to say is in no input."""

from typing import Literal

from pydantic import ConfigDict, JsonValue, StrictBool

from vinc_kernel.rest import Json, RequestModel, ResourceModel, Text, UtcDateTime, optional

from .fields import Address, Email, LogoUrl, Name, Number, Slug

Status = Literal["active", "suspended", "closing", "purged"]
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
    """What is said of a new tenant. Its slug stays for ever."""

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
    """What changes of a tenant: a field that is left out stays as it is, and null empties it."""

    model_config = ConfigDict(json_schema_extra={"examples": [DETAILS]})

    name: Name = optional()
    legal_name: Name | None = optional()
    legal_address: Address | None = optional()
    legal_email: Email | None = optional()
    legal_number: Number | None = optional()
    tax_id: Number | None = optional()
    logo_url: LogoUrl | None = optional()


class TenantOut(ResourceModel):
    """A tenant as it is stored. One that is closing is purged after `purge_after`."""

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
    """What a tenant has chosen for itself, as stored; answered in other forms."""

    slug: Text
    settings: dict[str, dict[str, Json]]
    disabled_plugins: list[str]


SettingsByPlugin = dict[str, dict[str, Json]]
"""What a tenant sets, by the name of the plugin."""
SwitchByPlugin = dict[str, StrictBool]
"""By name, whether a plugin that may be turned off for a tenant is on."""
