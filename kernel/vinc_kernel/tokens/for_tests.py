"""The issuer of tests: its tokens are signed with VINC_JWT_TEST_SECRET; production has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from joserfc.jwk import OctKey

from .algorithms import SHARED
from .issuer import Issuer

URL, KID = "urn:vinc:test", "test"


def issuer_of_tests(secret: str, audience: str) -> Issuer:
    key = OctKey.import_key(secret).as_dict() | {"kid": KID}

    async def keys() -> Mapping[str, Any]:
        return {"keys": [key]}

    return Issuer(url=URL, audience=audience, algorithms=(SHARED,), keys=keys)
