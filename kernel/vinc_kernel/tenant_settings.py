"""What each tenant sets for itself, in one plugin: typed, frozen, with a default for everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class TenantSettings(BaseModel):
    """Settings that every tenant may change for itself; a field that it has not set has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def stored(cls, given: Mapping[str, Any], complain: Callable[[str], object]) -> Self:
        """Settings from what is stored; `complain` hears each field that is stored and no longer fits its type.

        A newer plugin may have taken a field away or narrowed it, and must answer all the same.
        """
        kept = dict(given)
        while kept:
            try:
                return cls.model_validate(kept)
            except ValidationError as error:
                wrong = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]} & kept.keys()
            for field in sorted(wrong or kept):
                complain(field)
                del kept[field]
        return cls()
