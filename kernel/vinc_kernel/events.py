"""What happened, told to other plugins in the transaction of the change."""

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """The base of everything that `app.emit` tells: frozen data; listen with `@hooks.on(Kind)`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
