"""What a tenant's fields may hold, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from vinc_tenants.fields import Address, Email, LogoUrl, Name, Number, Slug
from vinc_tenants.slugs import RESERVED


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (Slug, "acme", "acme"),
        (Slug, "a-1b", "a-1b"),
        (Slug, "a" * 41, "a" * 41),
        (Name, "  Acme Ltd\t", "Acme Ltd"),
        (Name, "n" * 200, "n" * 200),
        (Name, "Łódź", "Łódź"),
        (Address, " 1 Long Lane \r\n\tLondon\n\n", "1 Long Lane\nLondon"),
        (Email, " Office@Acme.EXAMPLE.com ", "Office@acme.example.com"),
        (Email, "büro@bücher.de", "büro@xn--bcher-kva.de"),
        (Number, " HRB 1 ", "HRB 1"),
        (LogoUrl, "HTTPS://Acme.de/a b.svg", "https://acme.de/a%20b.svg"),
    ],
)
def test_values_are_normalised(kind: Any, given: str, kept: str) -> None:
    assert TypeAdapter(kind).validate_python(given) == kept


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *((Slug, word) for word in sorted(RESERVED)),
        *((Slug, text) for text in ("", "ab", "A-b-c", "a--b", "acme-", "1acme", "acme\n", " acme", "a" * 42, "ä-b-c")),
        (Slug, "a-" * 30 + "a"),
        (Slug, "deadbeefdeadbeefdeadbeefdeadbeef"),
        (Slug, "deadbeef-dead-beef-dead-beefdeadbeef"),
        (Slug, 5),
        (Slug, None),
        (Name, ""),
        (Name, " \t\u00a0"),
        (Name, "n" * 201),
        (Name, "Acme\nBcc: everybody@example.com"),
        (Name, "Acme\u2028Ltd"),
        (Name, "Acme\x1b[31m"),
        (Name, "Acme\x00"),
        (Name, "\ud800"),
        (Name, 7),
        (Address, "\n \n"),
        (Address, "a" * 1001),
        (Address, "London\x07"),
        (Number, "1" * 65),
        *((Email, text) for text in ("", "office", "office@", "a@b", "Acme <office@acme.de>", "a@b.de, c@d.de")),
        (Email, "a" * 65 + "@acme.de"),
        (Email, "a@" + "b" * 100_000 + ".de"),
        *((LogoUrl, text) for text in ("", "http://acme.de/logo", "javascript:alert(1)", "//acme.de/logo", "https://")),
        (LogoUrl, "https://user:secret@acme.de/logo"),
        (LogoUrl, "https://acme.de/" + "a" * 2000),
    ],
)
def test_invalid_values_are_refused_and_not_quoted(kind: Any, given: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(given)

    said = [error["msg"] for error in caught.value.errors()]
    assert not any(isinstance(given, str) and len(given) > 8 and given in text for text in said)
