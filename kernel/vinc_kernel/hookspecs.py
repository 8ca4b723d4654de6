"""Every hook, typed and documented, in one place.

`@hooks.lifespan` is the specification and the decorator of its implementations, so that a misspelt hook or a wrong
signature is found by the type checker and at import. A hook takes at most one argument, a frozen object that grows by
attributes: an old plugin keeps running on a newer kernel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from difflib import get_close_matches
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar, cast

import pluggy

from .context import Context
from .contracts import Contribution
from .events import Event
from .runtime import App

P = ParamSpec("P")
R = TypeVar("R")
PROJECT = "vinc"
SECONDS_TO_PURGE = 600.0  # by a command or a job: no request waits


class Hook(Generic[P, R]):
    """A specification, and the decorator for its implementations; several may stand in one module.

    `seconds` is how long `app.call` lets one run; None: VINC_PLUGIN_LOAD_TIMEOUT.
    """

    def __init__(self, spec: Callable[P, R], *, seconds: float | None = None) -> None:
        self.spec = pluggy.HookspecMarker(PROJECT)(spec)
        self.name, self.__doc__, self.seconds = spec.__name__, spec.__doc__, seconds

    def __call__(self, implementation: Callable[P, R], /) -> Callable[P, R]:
        return pluggy.HookimplMarker(PROJECT)(specname=self.name)(implementation)


@Hook
def contribute() -> Contribution:
    """Return all data of the plugin, once, at start: routers, models, capabilities, roles, settings, commands. Pure."""
    raise NotImplementedError


@Hook
def lifespan(app: App) -> AbstractAsyncContextManager[None]:
    """Open what the plugin needs while it serves, and close it; `app.provide(thing)` offers it to others."""
    raise NotImplementedError


@Hook
def health(app: App) -> Awaitable[None]:
    """Raise when something of this plugin is down. Bounded in time; the kernel checks its own connections."""
    raise NotImplementedError


@Hook
def tenant_created(context: Context) -> Awaitable[None]:
    """Set up a new tenant, in the transaction that creates it: an error fails it."""
    raise NotImplementedError


@partial(Hook, seconds=SECONDS_TO_PURGE)
def tenant_purge(context: Context) -> Awaitable[None]:
    """Delete everything of a tenant, in the transaction that removes it: an error fails it."""
    raise NotImplementedError


E = TypeVar("E", bound=Event)
Listener = Callable[[Sequence[E], Context], Awaitable[None]]


class EventHook(Hook[[Sequence[Event], Context], Awaitable[None]]):
    """The specification of listeners: `@hooks.on(Kind)` decorates one for a kind of events and its subclasses."""

    def __call__(self, kind: type[E], /) -> Callable[[Listener[E]], Listener[E]]:  # type: ignore[override]  # takes the kind first
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise TypeError("write @hooks.on(Kind), with the class of the events, which is an Event")

        def decorate(listener: Listener[E]) -> Listener[E]:
            marked: Any = pluggy.HookimplMarker(PROJECT)(specname=self.name)(listener)
            marked.vinc_event = kind
            return cast("Listener[E]", marked)

        return decorate


@EventHook
def on(events: Sequence[Event], context: Context) -> Awaitable[None]:
    """Handle all events of a kind, in the transaction of the change that emits them: an error fails it."""
    raise NotImplementedError


def kind_of(listener: Any) -> type[Event]:
    kind: type[Event] = listener.vinc_event
    return kind


HOOKS: dict[str, Hook[..., Any]] = {
    hook.name: hook for hook in (contribute, lifespan, health, tenant_created, tenant_purge, on)
}


def known_hooks(name: str) -> str:
    near = get_close_matches(name, HOOKS, 1)
    return f"did you mean {near[0]!r}?" if near else f"the hooks are {', '.join(HOOKS)}"


def __getattr__(name: str) -> Any:
    raise AttributeError(f"there is no hook {name!r}; {known_hooks(name)}", name=name, obj=None)
