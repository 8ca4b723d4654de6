"""A number in a tenant's settings is stored as it was sent, or refused."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from vinc_kernel import TenantSettings
from vinc_kernel.strict_json import parse_json
from vinc_tenants.choices import validate_settings


class Rates(TenantSettings):
    rate: Decimal = Decimal(1)


@pytest.mark.parametrize(
    ("sent", "codes"),
    [("0.1", []), ("12.50", []), ("12", []), ('"1234567890123.4567"', []), ("1234567890123.4567", ["exact"])],
)
def test_a_number_that_would_be_stored_as_another_is_refused(sent: str, codes: list[str]) -> None:
    app: Any = SimpleNamespace(tenant_settings={"rates": Rates})
    errors = validate_settings(app, "rates", parse_json(f'{{"rate": {sent}}}'.encode()))

    assert [error["type"] for error in errors] == codes
