"""Every error that Vinc raises on purpose.

VincError
├── StartError            a plugin, or the whole application, cannot start
├── SettingsError         one or more settings are missing or wrong
├── ManifestError         plugins.toml is wrong
├── ConnectionAbsent      the connection is not configured
├── DatabaseError         the database refused an operator's command
├── HookFailed            a plugin's hook raised, and fails what called it
└── Problem               sent to the caller as RFC 9457 `application/problem+json`
    ├── BadRequest            400
    ├── Unauthorized          401
    ├── Forbidden             403
    │   └── TenantSuspended       403
    ├── NotFound              404
    ├── MethodNotAllowed      405
    ├── RequestTimeout        408
    ├── Conflict              409
    ├── PreconditionFailed    412
    ├── ContentTooLarge       413
    ├── UriTooLong            414
    ├── UnsupportedMediaType  415
    ├── Unprocessable         422
    ├── PreconditionRequired  428
    ├── InternalError         500
    ├── Unavailable           503
    │   └── PluginUnavailable     503
    └── DeadlineExceeded      504
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from typing import Literal


class VincError(Exception):
    """Refused."""

    title: str = "Refused"

    def __init_subclass__(cls) -> None:
        # python -OO leaves no docstrings
        cls.title = cleandoc(cls.__doc__ or cls.__name__).partition("\n")[0].rstrip(".")


class StartError(VincError):
    """The application cannot start."""

    def __init__(self, what: str, *, plugin: str, phase: str, where: str, cure: str) -> None:
        super().__init__(f"{plugin}: {phase}: {what} ({where}); {cure}")
        self.what, self.plugin, self.phase, self.where, self.cure = what, plugin, phase, where, cure


class StartErrors(StartError):
    """Several plugins cannot start; one line each."""

    def __init__(self, errors: Sequence[StartError]) -> None:
        first = errors[0]
        super().__init__(first.what, plugin=first.plugin, phase=first.phase, where=first.where, cure=first.cure)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))


class SettingsError(VincError):
    """Settings are missing or wrong; one line each, never with a value."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class ManifestError(VincError):
    """The manifest, plugins.toml, is wrong."""

    def __init__(self, what: str, *, where: str, cure: str) -> None:
        super().__init__(f"{where}: {what}; {cure}")
        self.what, self.where, self.cure = what, where, cure


class ConnectionAbsent(VincError):
    """The connection is not configured."""

    def __init__(self, name: str, setting: str) -> None:
        super().__init__(f"there is no {name} here: set {setting}")
        self.name, self.setting = name, setting


class DatabaseError(VincError):
    """The database refused a command."""


class HookFailed(VincError):
    """A plugin's hook failed."""

    def __init__(self, plugin: str, hook: str, why: str) -> None:
        super().__init__(f"{plugin}: {hook}: {why}; mend the plugin, or disable it with: vinc plugins disable {plugin}")
        self.plugin, self.hook = plugin, hook


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a request. `pointer` is an RFC 6901 pointer into the place that `place` names."""

    place: Literal["body", "query", "path", "header"]
    pointer: str
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        return {"in": self.place, "pointer": self.pointer, "code": self.code, "message": self.message}


class Problem(VincError):
    """Something went wrong."""

    status: int = 500
    type: str = "urn:vinc:problem:problem"

    def __init_subclass__(cls, *, status: int | None = None) -> None:
        super().__init_subclass__()
        cls.status = status or cls.status
        kebab = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        cls.type = f"urn:vinc:problem:{kebab}"

    def __init__(
        self, detail: str = "", *, errors: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail, self.errors, self.headers = detail, tuple(errors), dict(headers or {})


class BadRequest(Problem, status=400):
    """The request is malformed."""


class Unauthorized(Problem, status=401):
    """Nobody is signed in."""


class Forbidden(Problem, status=403):
    """Not allowed to you."""


class TenantSuspended(Forbidden):
    """The tenant is suspended."""


class NotFound(Problem, status=404):
    """There is no such thing here."""


class MethodNotAllowed(Problem, status=405):
    """The address does not take that method."""


class RequestTimeout(Problem, status=408):
    """The body did not arrive in time."""


class Conflict(Problem, status=409):
    """Contradiction to what is stored."""


class PreconditionFailed(Problem, status=412):
    """It has changed since you have seen it."""


class ContentTooLarge(Problem, status=413):
    """The body is too large."""


class UriTooLong(Problem, status=414):
    """The address is too long."""


class UnsupportedMediaType(Problem, status=415):
    """The body has a media type that is not taken here."""


class Unprocessable(Problem, status=422):
    """The request is not valid."""


class PreconditionRequired(Problem, status=428):
    """Say which version you have seen."""


class InternalError(Problem, status=500):
    """Something went wrong here; it is logged under the request id."""


class Unavailable(Problem, status=503):
    """A part that this needs is down; try again."""


class PluginUnavailable(Unavailable):
    """The plugin that serves this is out of service."""


class DeadlineExceeded(Problem, status=504):
    """It took too long."""
