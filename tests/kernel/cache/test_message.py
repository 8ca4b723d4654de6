"""What workers tell each other."""

from __future__ import annotations

import pytest

from vinc_kernel.cache.keys import mark
from vinc_kernel.cache.message import Change, marks_text, parse

ACME, OTHER = mark("acme"), mark("other")


def test_a_message_tells_topics_numbers_and_marks() -> None:
    told = parse(f"tenants.tenant 18 {ACME},{OTHER}\nusers.user 3 *")

    assert told == [Change("tenants.tenant", 18, (ACME, OTHER)), Change("users.user", 3, None)]


@pytest.mark.parametrize(
    "text",
    ["", "tenants.tenant", "tenants.tenant 18 acme", f"a.b -1 {ACME}", f"a.b 1 {ACME}\n", "a.b 1 *\nnonsense", "ü 1 *"],
)
def test_of_a_message_that_cannot_be_read_nothing_is_believed(text: str) -> None:
    assert parse(text) == []


def test_more_than_a_few_marks_are_all() -> None:
    assert marks_text({ACME}) == ACME
    assert marks_text({mark(number) for number in range(5)}) == "*"
    assert marks_text(None) == "*"
