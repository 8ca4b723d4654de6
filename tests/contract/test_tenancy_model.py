"""Tenants, requests, suspensions and purges in any order, held against a model that is a few dictionaries.

What is asked goes through the real application and PostgreSQL; after each step a superuser compares all rows. A worker
forgets what it has cached as soon as it has committed, so no step waits.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient, Response
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from vinc_kernel.app import Application, create_app
from vinc_kernel.plugins.arrange import arrange
from vinc_kernel.rest import uuid7
from vinc_kernel.settings import Sources, read_settings
from vinc_tenants.purge import purge_due
from vinc_testing import Database, Servers
from vinc_testing.clients import client_of
from vinc_testing.running import plugin_of, pointing_at, started

from ..credentials import credentials
from . import greedy, notes

NAMES = ["acme", "globex", "initech"]
names_of_tenants = strategies.sampled_from(NAMES)
texts = strategies.sampled_from(["Buy milk", "Call Ann", notes.WELCOME])
numbers = strategies.integers(0, 3)  # of a note; one that the tenant has not is nobody's
SUSPENDED, FORBIDDEN = "urn:vinc:problem:tenant-suspended", "urn:vinc:problem:forbidden"


@dataclass
class Modelled:
    """What a tenant must be: its status, and its notes by id."""

    id: UUID
    status: str = "active"
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """One application for all examples, its database, and the loop in which it runs."""

    app: Application
    database: Database
    stack: AsyncExitStack
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    clients: dict[tuple[str, str, str], AsyncClient] = field(default_factory=dict)

    def ask(self, who: tuple[str, str, str], method: str, path: str, **body: Any) -> Response:
        """As `(role, own tenant, selected tenant)`; each may be empty but the role."""
        if who not in self.clients:
            role, own, selected = who
            headers = credentials(f"{role}-{own or 'nobody'};{role};{own}")
            headers |= {"X-Tenant-ID": selected} if selected else {}
            self.clients[who] = client_of(self.app, "/api/v1", headers)
            self.stack.push_async_callback(self.clients[who].aclose)
        answer: Response = self.run(self.clients[who].request(method, path, **body))
        return answer

    def purge(self) -> list[Any]:
        async def purged() -> list[Any]:
            return [done async for done in purge_due(self.app.runtime.apps["tenants"])]

        found: list[Any] = self.run(purged())
        return found


@pytest.fixture
def world(
    request: pytest.FixtureRequest, vinc_servers: Servers, vinc_database: Database, vinc_worker: str
) -> Generator[World]:
    """The plugins that are installed and `notes`, in a loop of their own: Hypothesis is not asynchronous."""
    environ = {**pointing_at(vinc_servers, vinc_database.name, vinc_worker), "VINC_TENANTS__PURGE_AFTER": "0"}
    sources = Sources(environ)
    read, _ = read_settings(sources)
    plugin = plugin_of("notes", getattr(request, "param", notes))
    app = create_app(read, sources, plugins=[*arrange(read), plugin])
    tables = notes.tables(vinc_database, vinc_servers.prefix, [("notes_note", "tenant_id, id")])
    with tables, asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(stack.enter_async_context(started(app)))
        yield World(app, vinc_database, stack, runner.run)
        runner.run(stack.aclose())


class Tenancy(RuleBasedStateMachine):
    """Members, foreigners and operators at work in a few tenants; each example has slugs of its own."""

    world: World
    examples = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.number = next(self.examples)
        self.tenants: dict[str, Modelled] = {}
        self.buried: set[str] = set()

    @initialize()
    def nothing_is_there(self) -> None:
        self.world.database.clear()
        self.world.database.admin.execute("truncate notes_note")

    def slug(self, name: str) -> str:
        return f"{name}-{self.number}"

    def ask(self, method: str, path: str, slug: str, *, own: str | None = None, **body: Any) -> Response:
        """In this tenant, as one of its own people, or as those of another."""
        return self.world.ask(("wholesale_admin", slug if own is None else own, slug), method, path, **body)

    def operate(self, method: str, path: str, **more: Any) -> Response:
        return self.world.ask(("super_admin", "", ""), method, path, **more)

    def refused(self, answer: Response, slug: str) -> bool:
        """Whether the model says that a member is not let in; the answer must be that refusal."""
        tenant = self.tenants.get(slug)
        if tenant is not None and tenant.status == "active":
            return False
        assert answer.status_code == 403
        assert answer.json()["type"] == (FORBIDDEN if tenant is None else SUSPENDED)
        return True

    def note(self, slug: str, number: int) -> str:
        """The id of a note of that tenant, if it has so many, else one of nobody's."""
        found = sorted(self.tenants[slug].notes) if slug in self.tenants else []
        return found[number] if number < len(found) else str(uuid7())

    @rule(name=names_of_tenants)
    def create_tenant(self, name: str) -> None:
        slug = self.slug(name)
        answer = self.operate("POST", "/tenants", json={"slug": slug, "name": name})
        if slug in self.tenants or slug in self.buried:
            assert answer.status_code == 409, answer.text
            return
        assert answer.status_code == 201, answer.text
        self.tenants[slug] = Modelled(UUID(answer.json()["id"]))
        first = self.ask("GET", "/notes", slug).json()
        assert [note["name"] for note in first] == [notes.WELCOME]  # the hook's, in the same transaction
        self.tenants[slug].notes = {note["id"]: note["name"] for note in first}

    @rule(name=names_of_tenants, text=texts)
    def write(self, name: str, text: str) -> None:
        slug = self.slug(name)
        answer = self.ask("POST", "/notes", slug, json={"name": text})
        if not self.refused(answer, slug):
            assert answer.status_code == 201, answer.text
            self.tenants[slug].notes[answer.json()["id"]] = text

    @rule(name=names_of_tenants)
    def read_all(self, name: str) -> None:
        slug = self.slug(name)
        answer = self.ask("GET", "/notes", slug)
        if not self.refused(answer, slug):
            assert {note["id"]: note["name"] for note in answer.json()} == self.tenants[slug].notes

    @rule(name=names_of_tenants, whose=names_of_tenants, number=numbers)
    def read_one(self, name: str, whose: str, number: int) -> None:
        """Often another tenant's."""
        slug, id_ = self.slug(name), self.note(self.slug(whose), number)
        answer = self.ask("GET", f"/notes/{id_}", slug)
        if not self.refused(answer, slug):
            expected = self.tenants[slug].notes.get(id_)
            assert answer.status_code == (404 if expected is None else 200)
            assert expected is None or answer.json() == {"id": id_, "name": expected}

    @rule(name=names_of_tenants, whose=names_of_tenants, number=numbers, text=texts)
    def change(self, name: str, whose: str, number: int, text: str) -> None:
        slug, id_ = self.slug(name), self.note(self.slug(whose), number)
        answer = self.ask("PATCH", f"/notes/{id_}", slug, json={"name": text})
        if not self.refused(answer, slug):
            is_there = id_ in self.tenants[slug].notes
            assert answer.status_code == (200 if is_there else 404)
            if is_there:
                self.tenants[slug].notes[id_] = text

    @rule(name=names_of_tenants, whose=names_of_tenants, number=numbers)
    def delete(self, name: str, whose: str, number: int) -> None:
        slug, id_ = self.slug(name), self.note(self.slug(whose), number)
        answer = self.ask("DELETE", f"/notes/{id_}", slug)
        if not self.refused(answer, slug):
            is_there = self.tenants[slug].notes.pop(id_, None) is not None
            assert answer.status_code == (204 if is_there else 404)

    @rule(name=names_of_tenants, own=names_of_tenants, by_id=strategies.booleans())
    def come_as_a_foreigner(self, name: str, own: str, *, by_id: bool) -> None:
        """Somebody of another tenant selects this one; whether it is there makes no difference."""
        if name == own:
            return
        slug = self.slug(name)
        selected = str(self.tenants[slug].id) if by_id and slug in self.tenants else slug
        answer = self.world.ask(("wholesale_admin", self.slug(own), selected), "GET", "/notes")
        assert (answer.status_code, answer.json()["type"]) == (403, FORBIDDEN)

    @rule(name=names_of_tenants)
    def look_as_an_operator(self, name: str) -> None:
        """The platform's people work in any tenant that is there, a suspended one too."""
        slug = self.slug(name)
        answer = self.world.ask(("super_admin", "", slug), "GET", "/notes")
        if slug not in self.tenants:
            assert answer.status_code == 403
        else:
            assert {note["id"]: note["name"] for note in answer.json()} == self.tenants[slug].notes

    @rule(name=names_of_tenants)
    def suspend(self, name: str) -> None:
        if tenant := self.tenants.get(self.slug(name)):
            answer = self.operate("POST", f"/tenants/{tenant.id}/suspend")
            assert answer.status_code == (409 if tenant.status == "closing" else 200), answer.text
            tenant.status = "closing" if tenant.status == "closing" else "suspended"

    @rule(name=names_of_tenants)
    def reactivate(self, name: str) -> None:
        if tenant := self.tenants.get(self.slug(name)):
            assert self.operate("POST", f"/tenants/{tenant.id}/reactivate").status_code == 200
            tenant.status = "active"

    @rule(name=names_of_tenants)
    def close(self, name: str) -> None:
        if tenant := self.tenants.get(self.slug(name)):
            answer = self.operate("DELETE", f"/tenants/{tenant.id}", headers={"If-Match": "*"})
            assert answer.status_code == 200, answer.text
            tenant.status = "closing"

    @rule()
    def purge(self) -> None:
        closing = {slug for slug, tenant in self.tenants.items() if tenant.status == "closing"}
        assert {done.slug for done in self.world.purge()} == closing
        for slug in closing:
            del self.tenants[slug]
        self.buried |= closing

    @rule(name=names_of_tenants)
    def a_former_tenant_is_gone(self, name: str) -> None:
        if (slug := self.slug(name)) in self.buried:
            assert self.refused(self.ask("GET", "/notes", slug), slug)

    @invariant()
    def the_rows_are_those_of_the_model(self) -> None:
        admin = self.world.database.admin
        stored = admin.execute("select tenant_id, id::text, name from notes_note").fetchall()
        expected = [(tenant.id, *note) for tenant in self.tenants.values() for note in tenant.notes.items()]
        assert sorted(stored) == sorted(expected)
        statuses = dict(admin.execute("select slug, status from tenants_tenant").fetchall())
        assert statuses == {slug: tenant.status for slug, tenant in self.tenants.items()} | dict.fromkeys(
            self.buried, "purged"
        )


def model_of(world: World) -> type[Tenancy]:
    return type("TenancyHere", (Tenancy,), {"world": world})


def test_tenants_are_what_the_model_says_whatever_happens(world: World) -> None:
    bounds = settings(
        max_examples=30,
        stateful_step_count=20,
        derandomize="CI" in os.environ,
        database=None,
        deadline=None,  # it waits for a real database
        suppress_health_check=[HealthCheck.too_slow],  # as above
    )
    run_state_machine_as_test(model_of(world), settings=bounds)


@pytest.mark.parametrize("world", [greedy], indirect=True, ids=["a purge that takes everybody's rows"])
def test_the_model_notices(world: World) -> None:
    model = model_of(world)()
    model.nothing_is_there()
    for name in NAMES:
        model.create_tenant(name=name)
    model.close(name=NAMES[0])
    model.the_rows_are_those_of_the_model()
    model.purge()

    with pytest.raises(AssertionError):
        model.the_rows_are_those_of_the_model()
