"""Settings that each tenant has of a plugin: typed, frozen, with a default for everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict, ValidationError

from .strict_schema import StrictModel


class TenantSettings(StrictModel):
    """Settings that every tenant may change for itself; a field that is not set has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> tuple[Self, list[str]]:
        """Return settings from stored values, and the names of stored fields that are not valid any more.

        A newer version of the plugin may have removed or narrowed a field.
        """
        valid, invalid = dict(stored), list[str]()
        while valid:
            try:
                return cls.model_validate(valid), invalid
            except ValidationError as error:
                wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]} & valid.keys()
            for field in sorted(wrong or valid):
                invalid.append(field)
                del valid[field]
        return cls(), invalid
