"""Comparing and merging; nothing here calls Keycloak."""

from typing import Any

import pytest

from vinc_keycloak.service import desired
from vinc_keycloak.service.drift import MASK, Difference, compare, compare_profile, merge, merge_profile

from .conftest import settings

SMTP = {
    "VINC_KEYCLOAK__SMTP_HOST": "mail.example",
    "VINC_KEYCLOAK__SMTP_FROM": "vinc@mail.example",
    "VINC_KEYCLOAK__SMTP_USER": "mailer",
    "VINC_KEYCLOAK__SMTP_PASSWORD": "canary",
}


@pytest.mark.parametrize(
    ("found", "wanted", "difference"),
    [
        ({"a": True, "b": 1}, {"a": True}, None),
        ({"a": True}, {"a": False}, ("x: a", "true", "false")),
        ({}, {"a": 300}, ("x: a", "unset", "300")),
        ({"a": ["2", "1"]}, {"a": ["1", "2"]}, None),
        ({"a": ["1"]}, {"a": []}, ("x: a", "1", "none")),
        ({"a": {"b": "1", "c": "2"}}, {"a": {"b": "1"}}, None),
        ({"a": {"b": "1"}}, {"a": {"b": "2"}}, ("x: a: b", "1", "2")),
        ({}, {"a": {"b": "2"}}, ("x: a: b", "unset", "2")),
        ({"a": ""}, {"a": None}, None),
        ({"password": MASK}, {"password": "canary"}, None),
        ({}, {"password": "canary"}, ("x: password", "unset", MASK)),
        ({"password": "seen"}, {"password": "canary"}, ("x: password", MASK, MASK)),
    ],
)
def test_only_wanted_keys_are_compared(found: Any, wanted: Any, difference: tuple[str, str, str] | None) -> None:
    expected = [Difference(what=difference[0], found=difference[1], wanted=difference[2])] if difference else []

    assert compare("x", found, wanted) == expected


def test_a_realm_that_masks_its_password_is_as_it_should_be() -> None:
    wanted = desired.realm(settings(**SMTP))
    masked = {**wanted, "smtpServer": {**wanted["smtpServer"], "password": MASK, "allowutf8": ""}}

    assert compare("realm", masked, wanted) == []
    assert wanted["smtpServer"]["password"] == "canary"


WANTED = [*desired.own_attributes(), *desired.attributes(settings())]


def profile(**more: Any) -> dict[str, Any]:
    """A user profile as bootstrap leaves it, with one attribute of somebody else's."""
    others = {"name": "shoe_size", "permissions": {"view": ["user"], "edit": ["user"]}}
    named = [{"name": name} for name in ("username", "email", "firstName", "lastName")]
    return merge_profile({"attributes": [*named, others], "groups": [], **more}, WANTED)


def test_a_merged_profile_is_as_it_should_be_and_keeps_what_others_have() -> None:
    assert compare_profile(profile(), WANTED) == []
    assert [one["name"] for one in profile()["attributes"]][:5] == [
        "username",
        "email",
        "firstName",
        "lastName",
        "shoe_size",
    ]


@pytest.mark.parametrize("policy", ["ENABLED", "ADMIN_EDIT", "ADMIN_VIEW"])
def test_undeclared_attributes_are_drift_whoever_may_write_them(policy: str) -> None:
    (found,) = compare_profile({**profile(), "unmanagedAttributePolicy": policy}, WANTED)

    assert (found.what, found.found, found.wanted) == ("user profile: unmanagedAttributePolicy", policy, "unset")
    assert "unmanagedAttributePolicy" not in profile(unmanagedAttributePolicy=policy)


@pytest.mark.parametrize("attribute", ["role", "allowed_wholesalers", "vinc_generation", "email"])
def test_an_attribute_that_users_may_edit_is_drift(attribute: str) -> None:
    made = profile()
    for one in made["attributes"]:
        if one["name"] == attribute:
            one["permissions"] = {**one["permissions"], "edit": ["user", "admin"]}
    (found,) = compare_profile(made, WANTED)

    assert found.what == f"user profile, attribute {attribute}: permissions"
    assert found.found.endswith("edit: admin, user")
    assert found.wanted.endswith("edit: admin")


def test_an_attribute_that_is_not_declared_is_missing() -> None:
    made = profile()
    made["attributes"] = [one for one in made["attributes"] if one["name"] != "role"]

    assert [one.what for one in compare_profile(made, WANTED)] == ["user profile, attribute role"]


def test_merging_keeps_other_values() -> None:
    found = {"id": "1", "name": "a", "attributes": {"theirs": "1", "ours": "0"}}

    assert merge(found, {"name": "b", "attributes": {"ours": "1"}}) == {
        "id": "1",
        "name": "b",
        "attributes": {"theirs": "1", "ours": "1"},
    }


def test_only_a_password_grant_that_was_asked_for_is_made() -> None:
    assert not desired.client(settings())["directAccessGrantsEnabled"]
    assert desired.client(settings(VINC_KEYCLOAK__PASSWORD_GRANT="true"))["directAccessGrantsEnabled"]


def test_attributes_may_have_other_names_and_claims_never_do() -> None:
    made = settings(VINC_KEYCLOAK_ROLE_ATTRIBUTE="vinc_role")
    (mapper,) = (one for one in desired.mappers(made, "vinc-api") if one["name"] == "vinc role")

    assert (mapper["config"]["user.attribute"], mapper["config"]["claim.name"]) == ("vinc_role", "role")
    assert "vinc_role" in [one["name"] for one in desired.attributes(made)]
