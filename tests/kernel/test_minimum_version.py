"""A server below the floor of its major version is told of, with the version to bring it to (I24)."""

import pytest

from vinc_kernel.database.minimum_version import below_minimum


@pytest.mark.parametrize(
    ("version", "to"),
    [
        (150_099, "16.0"),
        (160_000, "16.12"),
        (160_011, "16.12"),
        (160_012, ""),
        (170_007, "17.8"),
        (170_008, ""),
        (180_001, "18.2"),
        (180_002, ""),
        (190_000, ""),
    ],
)
def test_each_major_version_has_its_floor(version: int, to: str) -> None:
    major, minor = divmod(version, 10_000)
    holes = f"PostgreSQL {major}.{minor} has known holes in row level security; bring it to {to} or newer"

    assert below_minimum(version) == (holes if to else "")
