"""The platform looks through principals, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from vinc_identity.service import last_seen
from vinc_kernel import App

from .conftest import ISSUER, Caller, SignIn

PEOPLE = ("carol", "alice", "bob")


@pytest.fixture(autouse=True)
async def people(sign_in: SignIn, boss: Caller) -> list[str]:
    """Their ids, in the order in which they came; the super admin came first."""
    ids = [str(await boss.id())]
    return ids + [str(await sign_in(one, email=f"{one}@acme.example").id()) for one in PEOPLE]


async def listed(boss: Caller, query: str = "") -> list[str]:
    answer = await boss.ask("GET", f"/identity/principals{query}")
    assert answer.status_code == 200, answer.text
    return [one["subject"] for one in answer.json()["items"]]


async def test_one_is_shown_as_stored(boss: Caller, people: list[str]) -> None:
    answer = await boss.ask("GET", f"/identity/principals/{people[2]}")
    body: dict[str, Any] = answer.json()

    assert answer.status_code == 200
    assert body.pop("created_at").endswith("Z")
    assert body == {
        "id": people[2],
        "issuer": ISSUER,
        "subject": "alice",
        "kind": "person",
        "email": "alice@acme.example",
        "disabled": False,
        "provider": "confirmed",
        **dict.fromkeys(("name", "role", "tenant", "expires_at", "last_seen")),
    }


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("?email=bob@acme.example", ["bob"]),
        ("?subject=alice&subject=bob", ["alice", "bob"]),
        (f"?issuer={ISSUER}&order_by=email", ["boss", "alice", "bob", "carol"]),
        ("?issuer=urn:elsewhere", []),
        ("?kind=service", []),
        ("?disabled=true", ["alice"]),
        ("?disabled=false&kind=person", ["boss", "carol", "bob"]),
        ("?last_seen_from=2000-01-01T00:00:00Z", ["boss", *PEOPLE]),
        ("?last_seen_before=2000-01-01T00:00:00Z", []),
        ("?order_by=-created_at", ["bob", "alice", "carol", "boss"]),
    ],
)
async def test_the_list_is_filtered_and_ordered(
    boss: Caller, people: list[str], app: App, query: str, subjects: list[str]
) -> None:
    await boss.ask("POST", f"/identity/principals/{people[2]}/disable")
    await last_seen.write(app)

    assert await listed(boss, query) == subjects


@pytest.mark.parametrize(("principal", "status"), [("0199f3c8-0000-7000-8000-000000000000", 404), ("alice", 422)])
async def test_an_unknown_principal_is_404_and_a_malformed_id_422(boss: Caller, principal: str, status: int) -> None:
    assert (await boss.ask("GET", f"/identity/principals/{principal}")).status_code == status
