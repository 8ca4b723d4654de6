"""What is checked on a route, by its kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from fastapi.routing import APIRoute

from vinc_kernel.database.uuid7 import uuid7
from vinc_kernel.endpoints import WEBSOCKET, Endpoint
from vinc_kernel.permissions import Requirement

from .harness import DEFAULT_ROLE, MOUNT, Harness
from .pairs import SAFE, PairBuilder, RequestPair
from .responses import Request, Response, differences
from .rows import changed_tables, tenant_rows
from .seeding import MARKED, PLAIN, PRECONDITION_REQUIRED, NotExercised, Operation, Seeder, TenantData, parse_json
from .templates import SOURCE, RequestTemplate
from .websocket import connect_websocket

ATTEMPTS = 3  # of two requests: a background task may run statements meanwhile
NOT_MODIFIED, FORBIDDEN, CONFLICT, SERVER_ERROR = 304, 403, 409, 500


@dataclass(slots=True, eq=False, kw_only=True)
class IsolationCheck:
    """One route and its findings. `ours` sends the requests; what is `theirs` must stay unknown and unchanged."""

    harness: Harness
    method: str
    endpoint: Endpoint
    ours: TenantData
    theirs: TenantData
    findings: list[str] = field(default_factory=list)

    @property
    def seeder(self) -> Seeder:
        return self.harness.seeder

    async def run(self) -> None:
        async with self.unchanged("it changes rows of another tenant"):
            requirement = self.endpoint.requirement
            if requirement.public:
                await self.check_public()
            elif self.method == WEBSOCKET:
                await self.check_websocket()
            elif self.method == MOUNT:
                await self.check_mount()
            elif self.harness.role_in_tenant(requirement) is None:
                await self.check_platform()
            else:
                await self.check_tenants()

    @asynccontextmanager
    async def unchanged(self, finding: str) -> AsyncGenerator[None]:
        """Find what the block changes in the other tenant's rows."""
        before = tenant_rows(self.harness.database, self.theirs.id)
        yield
        after = tenant_rows(self.harness.database, self.theirs.id)
        self.findings += [f"{finding}: {line}" for line in changed_tables(before, after)]

    async def check_public(self) -> None:
        """Strangers may call it, so it must know no tenant; how it may be cached is its own affair."""
        if isinstance(self.endpoint.route, APIRoute) and self.method in SAFE and "{" not in self.endpoint.path:
            operation = self.harness.operation(self.method, self.endpoint)
            query = self.ours.query(operation.template, PLAIN)
            request = Request(method=self.method, path=operation.template.path, query=query)
            self.check_leaks(await self.send(operation, request))

    async def check_tenants(self) -> None:
        operation = self.harness.operation(self.method, self.endpoint)
        await self.list_rows(operation)
        builder = self.builder(operation.template, tuple(await self.etags(operation)))
        role = self.role
        for pair in builder.pairs():
            await self.compare(pair, role)
            if self.method in SAFE:
                head = [replace(one, method="HEAD") for one in (pair.theirs, pair.missing)]
                await self.compare(RequestPair(f"{pair.title}, by HEAD", *head), role)
        for pair in [*builder.forged(), *builder.selected(self.harness.tenant_header)]:
            await self.compare(pair, role)
        if self.method in SAFE:
            for pair in [*builder.filtered(), *[one async for one in self.cursors(operation, builder)]]:
                await self.compare(pair, role)
            await self.check_caching(operation)
        async with self.unchanged("used as it is meant, it changes rows of others"):
            await self.check_use(operation)

    async def check_platform(self) -> None:
        """A tenant's users are refused, whatever they name; then it is called as the platform's operator."""
        operation = self.harness.operation(self.method, self.endpoint)
        await self.list_rows(operation)
        role = self.harness.role_in_tenant(Requirement()) or DEFAULT_ROLE
        for pair in self.builder(operation.template).pairs():
            await self.compare(pair, role)
        client = self.harness.client(role, self.ours.slug)
        refused = await client.send(self.ours.request(self.method, operation.template))
        self.check(refused)
        if refused.status != FORBIDDEN:
            self.findings.append(
                f"it is the platform's, and a tenant's user with the role {role} is answered {refused}"
            )
        async with self.unchanged("asked about one tenant, it changes another"):
            await self.check_use(operation)

    @property
    def role(self) -> str:
        return self.harness.role_in_tenant(self.endpoint.requirement) or DEFAULT_ROLE

    def builder(self, template: RequestTemplate, etags: tuple[str, ...] = ()) -> PairBuilder:
        return PairBuilder(method=self.method, template=template, ours=self.ours, theirs=self.theirs, etags=etags)

    async def list_rows(self, operation: Operation) -> None:
        """Complete the rows of both tenants; raises NotExercised when there are none of a source."""
        for tenant in (self.ours, self.theirs):
            await self.seeder.list_rows(tenant, operation.template)
        for source in operation.template.sources():
            if source.collection not in self.ours.rows:
                creators = [one for one in self.seeder.creators if one.template.shape == source.collection]
                responses = [(one.name, self.ours.responses[one.name][PLAIN]) for one in creators]
                tried = "".join(f"; {name} answers {one}; {cure_of(one)}" for name, one in responses)
                cure = f"name where its rows come from by '{SOURCE}'"
                raise NotExercised(f"nothing of {source.collection} could be created or listed{tried}; {cure}")

    async def etags(self, operation: Operation) -> list[str]:
        """Return those of a row of ours and of one of theirs, read at the same path."""
        tenants = (self.ours, self.theirs)
        return [etag for one in tenants if (etag := await self.seeder.etag(one, operation.template, MARKED))]

    async def compare(self, pair: RequestPair, role: str) -> None:
        """Send both, and again when they differ: a background task may have run statements meanwhile."""
        client = self.harness.client(role, self.ours.slug)
        found: list[str] = []
        for _ in range(ATTEMPTS):
            theirs, missing = await client.send(pair.theirs), await client.send(pair.missing)
            found = list(differences(theirs, missing))
            if not found:
                break
        self.findings += [
            f"what is another tenant's can be told from what is not there ({pair.title}): {one}" for one in found
        ]
        for response in (theirs, missing):
            self.check(response)

    async def cursors(self, operation: Operation, builder: PairBuilder) -> AsyncGenerator[RequestPair]:
        """Yield the cursor that the other tenant was given, beside one that nobody was."""
        if operation.template.pages:
            request = replace(self.theirs.request(self.method, operation.template), query={"limit": "1"})
            page = parse_json(await self.harness.send(self.theirs, operation, request))
            following = page.get("next") if isinstance(page, dict) else None
            for cursor in parse_qs(urlsplit(following or "").query).get("cursor", ()):
                yield builder.by_query("cursor", cursor, cursor[::-1])

    async def check_caching(self, operation: Operation) -> None:
        """Call the same path by turns, each with the ETag that the other was given: caches must be by tenant."""
        etags: list[str] = []
        for tenant, other in ((self.ours, self.theirs), (self.theirs, self.ours), (self.ours, self.theirs)):
            headers = {"If-None-Match": etags[-1]} if etags else {}
            request = replace(tenant.request(self.method, operation.template), headers=headers)
            response = await self.harness.send(tenant, operation, request)
            self.check_headers(response)
            if leaked := response.leaked(other.secrets() - tenant.secrets()):
                self.findings.append(f"it tells a tenant what is another's: {', '.join(leaked)}")
            if response.status == NOT_MODIFIED:
                self.findings.append(f"another tenant's ETag {etags[-1]} is answered 304")
            if etag := response.header("etag"):
                etags.append(etag)

    async def check_use(self, operation: Operation) -> None:
        """Call it with our own rows: where that fails too, the comparisons before prove nothing."""
        if operation.name in self.ours.responses:
            self.check_creation(operation.name)
            return
        template = operation.template
        request = self.ours.request(self.method, template)
        response = await self.send(operation, request)
        if response.status == PRECONDITION_REQUIRED and (etag := await self.seeder.etag(self.ours, template, PLAIN)):
            response = await self.send(operation, replace(request, headers={"If-Match": etag}))
        if not response.is_success and response.status != CONFLICT:  # a rule of its own, about a row that it has found
            what = f"{operation.name}: called with the client's own rows it answers {response}"
            raise NotExercised(f"{what}; {cure_of(response)}")
        if self.method == "GET" and template.shape in self.ours.rows:
            row = self.ours.rows[template.shape][0]
            if "id" in row and str(row["id"]) not in response.text:
                self.findings.append(f"it does not list what the tenant has just created: {response}")

    def check_creation(self, operation: str) -> None:
        """Compare the responses to the same example in both tenants: a key that spans tenants refuses one of them."""
        ours, theirs = self.ours.responses[operation][PLAIN], self.theirs.responses[operation][PLAIN]
        if not ours.is_success:
            raise NotExercised(f"{operation}: its example is answered {ours}; {cure_of(ours)}")
        if theirs.status != ours.status:
            why = "some key does not begin with tenant_id"
            self.findings.append(f"what one tenant could create, the next cannot ({why}): {ours.status}, then {theirs}")
        for response in self.ours.responses[operation]:
            self.check(response)

    async def send(self, operation: Operation, request: Request) -> Response:
        response = await self.harness.send(self.ours, operation, request)
        if self.endpoint.requirement.platform or self.endpoint.requirement.public:
            self.check_failure(response)  # the platform sees all tenants
        else:
            self.check(response)
        return response

    def check(self, response: Response) -> None:
        """Check what holds for every response to a tenant's user."""
        self.check_failure(response)
        self.check_headers(response)
        self.check_leaks(response)

    def check_failure(self, response: Response) -> None:
        if response.status >= SERVER_ERROR:
            self.findings.append(f"{response.request.method} {response.request.path} answers {response}")

    def check_leaks(self, response: Response) -> None:
        if leaked := response.leaked(self.theirs.secrets() - self.ours.secrets()):
            self.findings.append(f"it tells a tenant what is another's: {', '.join(leaked)}")

    def check_headers(self, response: Response) -> None:
        """The tenant is in a header, and caches go by the URL (threat I18)."""
        directives = {one.strip() for one in (response.header("cache-control") or "").split(",")}
        if directives != {"private", "no-cache"}:
            self.findings.append(
                f"its Cache-Control is not 'private, no-cache' but {response.header('cache-control')!r}"
            )
        varies = {one.strip().lower() for name, value in response.headers if name == "vary" for one in value.split(",")}
        if missing := {"authorization", self.harness.tenant_header.lower()} - varies:
            self.findings.append(f"its Vary lacks {', '.join(sorted(missing))}")

    async def check_websocket(self) -> None:
        operation = self.harness.operation(self.method, self.endpoint)
        await self.list_rows(operation)
        path = self.ours.path(operation.template, PLAIN)
        nobody = await connect_websocket(self.harness.app, path, {})
        if nobody["type"] != "websocket.close":
            self.findings.append(f"who is not signed in is answered {nobody}")
        headers = dict(self.harness.client(self.role, self.ours.slug).http.headers)
        for pair in self.builder(operation.template).pairs():
            theirs, missing = [
                await connect_websocket(self.harness.app, one.path, headers) for one in (pair.theirs, pair.missing)
            ]
            if theirs != missing:
                self.findings.append(
                    f"what is another tenant's can be told from what is not there: {theirs}, not {missing}"
                )

    async def check_mount(self) -> None:
        """Call a mounted application by path alone: no OpenAPI document describes it."""
        path = self.endpoint.path.removesuffix("/{path:path}")
        operation = Operation(self.endpoint, "GET", RequestTemplate(path=path))
        client = self.harness.client(self.role, self.ours.slug)
        self.check(await client.send(Request(method="GET", path=f"{path}/")))
        for secret in sorted(self.theirs.secrets()):
            names = (secret, str(uuid7()))
            requests = [Request(method="GET", path=f"{path}/{name}", names=names) for name in names]
            responses = [await self.harness.send(self.ours, operation, request) for request in requests]
            self.findings += [
                f"{path}/{secret} can be told from what is not there: {one}" for one in differences(*responses)
            ]


def cure_of(refused: Response) -> str:
    """Return what to change where a route refuses a request that names rows which exist."""
    if refused.status == PRECONDITION_REQUIRED:
        return "no GET at its path, or at one above it, answers an ETag to send: return `with_etag(row)` there"
    return f"correct the example of its body, or say by '{SOURCE}' where its values come from"
