"""Annotations are searched to their ends, also where they have none."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from vinc_kernel.annotations import classes_of, unbounded_lists


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` statements come with Python 3.12")
def test_a_type_that_names_itself_is_searched_once() -> None:
    made: dict[str, Any] = {}
    exec("type Tree = list[Tree] | int", made)

    assert set(classes_of(made["Tree"])) >= {list, int}
    assert list(unbounded_lists(made["Tree"], "body")) == ["body"]
