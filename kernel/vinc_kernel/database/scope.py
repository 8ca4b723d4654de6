"""What a session may see and write, set once and before its first statement."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Scope:
    """`tenant` None: no row of any tenant is visible. `platform`: rows of all tenants are, through a role of its own.

    `actor` is the principal's id for `created_by` and `updated_by`. `read_only`: writes are refused.
    """

    tenant: UUID | None = None
    actor: UUID | None = None
    platform: bool = False
    read_only: bool = False
