"""Events, which other plugins handle in the transaction of the change."""

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """The base of all events: frozen data, sent by `app.emit` to the listeners of `@hooks.on(Kind)`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
