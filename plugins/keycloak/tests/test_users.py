"""Converting users to and from Keycloak's API."""

import pytest

from vinc_identity.contracts import Profile, ProviderUser
from vinc_keycloak.service.users import find_dropped, read_generation, to_provider_user, to_representation

from .conftest import settings

FULL = Profile(
    email="ada@acme.example",
    name="Ada King Lovelace",
    role="agent",
    tenants=("acme", "globex"),
    customers=("c1",),
    addresses=("a1", "a2"),
)


@pytest.mark.parametrize("profile", [FULL, Profile(email="ada@acme.example"), Profile(email="a@b.example", name="Ada")])
def test_a_written_user_reads_as_the_same_profile(profile: Profile) -> None:
    written = to_representation(profile, settings())

    assert to_provider_user({**written, "id": "1", "enabled": True}, settings()) == ProviderUser(
        subject="1", profile=profile
    )


def test_other_fields_are_kept() -> None:
    present = {
        "id": "1",
        "access": {},
        "requiredActions": ["X"],
        "attributes": {"shoe_size": ["42"], "role": ["viewer"]},
    }
    made = to_representation(FULL, settings(), present)

    assert (made["id"], made["requiredActions"], "access" in made) == ("1", ["X"], False)
    assert (made["attributes"]["shoe_size"], made["attributes"]["role"]) == (["42"], ["agent"])


@pytest.mark.parametrize(("tenants", "written"), [((), []), (("acme",), []), (("acme", "globex"), ["true"])])
def test_several_tenants_are_told(tenants: tuple[str, ...], written: list[str]) -> None:
    profile = Profile(email="a@b.example", tenants=tenants)

    assert to_representation(profile, settings())["attributes"]["multi_tenant"] == written


@pytest.mark.parametrize(("values", "number"), [(["7"], 7), ([], 0), (None, 0), (["x"], 0), (["-1"], 0)])
def test_a_generation_is_a_number(values: list[str] | None, number: int) -> None:
    attributes = {} if values is None else {"vinc_generation": values}

    assert read_generation({"attributes": attributes}, settings()) == number


def test_a_dropped_attribute_is_found() -> None:
    sent = {"attributes": {"role": ["agent"], "allowed_wholesalers": ["a", "b"], "multi_tenant": []}}

    assert find_dropped(sent, {"attributes": {"role": ["agent"], "allowed_wholesalers": ["b", "a"]}}) is None
    assert find_dropped(sent, {}) == "role"
