"""What is answered."""

from uuid import UUID

from pydantic import BaseModel

from vinc_kernel.rest import Moment, Text


class TenantOut(BaseModel):
    """A tenant as it is stored."""

    id: UUID
    slug: Text
    name: Text
    created_at: Moment
    updated_at: Moment
