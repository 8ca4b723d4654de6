"""The steps of a walk, for each kind of route."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from fastapi.routing import APIRoute

from vinc_kernel.database.uuid7 import uuid7
from vinc_kernel.endpoints import WEBSOCKET, Endpoint
from vinc_kernel.permissions import Requirement

from .answers import Answer, Question, unlike
from .described import SOURCE, Described
from .other_kinds import shake_hands
from .pairs import SAFE, Pair, Pairing
from .planted import FIRST, MARKED, Garden, NotExercised, Planted, Target, json_of
from .rows import differences, rows_of
from .stage import ANYBODY, MOUNT, Stage

TRIES = 3  # of two requests: what runs beside them may ask the database meanwhile
NOT_MODIFIED, UNAUTHORIZED, FORBIDDEN, CONFLICT, PRECONDITION_REQUIRED, SERVER_ERROR = 304, 401, 403, 409, 428, 500


@dataclass(slots=True, eq=False, kw_only=True)
class Walk:
    """One route, two tenants, and what was found. `ours` asks; what is `theirs` must stay unknown and unchanged."""

    stage: Stage
    garden: Garden
    method: str
    endpoint: Endpoint
    ours: Planted
    theirs: Planted
    findings: list[str] = field(default_factory=list)

    async def go(self) -> None:
        before = rows_of(self.stage.database, self.theirs.tenant)
        needs = self.endpoint.requirement
        if needs.public:
            await self.walk_public()
        elif self.method == WEBSOCKET:
            await self.walk_websocket()
        elif self.method == MOUNT:
            await self.walk_mount()
        elif self.stage.role_in_tenant(needs) is None:
            await self.walk_platform()
        else:
            await self.walk_tenants()
        after = rows_of(self.stage.database, self.theirs.tenant)
        self.findings += [f"it changes rows of another tenant: {line}" for line in differences(before, after)]

    async def walk_public(self) -> None:
        """Strangers see it, so it may know no tenant; how it may be cached is its own affair."""
        if isinstance(self.endpoint.route, APIRoute) and self.method in SAFE and "{" not in self.endpoint.path:
            described = self.stage.described(self.method, self.endpoint)
            question = Question(method=self.method, path=described.path, query=self.ours.query(described, FIRST))
            self.look_for_leaks(await self.ask(self.ours, Target(self.endpoint, self.method, described), question))

    async def walk_tenants(self) -> None:
        target = Target(self.endpoint, self.method, self.stage.described(self.method, self.endpoint))
        await self.look_up(target)
        etags = await self.etags(target)
        pairing = Pairing(
            method=self.method, described=target.described, ours=self.ours, theirs=self.theirs, etags=tuple(etags)
        )
        role = self.stage.role_in_tenant(self.endpoint.requirement) or ANYBODY
        for pair in pairing.pairs():
            await self.compare(pair, role)
            if self.method in SAFE:
                head = [replace(one, method="HEAD") for one in (pair.theirs, pair.nobodys)]
                await self.compare(Pair(f"{pair.what}, by HEAD", *head), role)
        for pair in [*pairing.forged(), *pairing.selected(self.stage.tenant_header)]:
            await self.compare(pair, role)
        if self.method in SAFE:
            for pair in [*pairing.filtered(), *[one async for one in self.cursors(target, pairing)]]:
                await self.compare(pair, role)
            await self.take_turns(target)
        before = rows_of(self.stage.database, self.theirs.tenant)
        await self.do_what_it_is_for(target)
        after = rows_of(self.stage.database, self.theirs.tenant)
        self.findings += [
            f"used as it is meant, it changes rows of others: {line}" for line in differences(before, after)
        ]

    async def walk_platform(self) -> None:
        """Tenants' users are told that it is not for them, whatever they name; then it is asked as the platform."""
        target = Target(self.endpoint, self.method, self.stage.described(self.method, self.endpoint))
        await self.look_up(target)
        role = self.stage.role_in_tenant(Requirement()) or ANYBODY
        pairing = Pairing(method=self.method, described=target.described, ours=self.ours, theirs=self.theirs)
        for pair in pairing.pairs():
            await self.compare(pair, role)
        caller = self.stage.caller(role, self.ours.slug)
        refused = await caller.ask(self.question(target, self.ours))
        self.look(refused)
        if refused.status != FORBIDDEN:
            self.findings.append(
                f"it is the platform's, and a tenant's user with the role {role} is answered {refused}"
            )
        before = rows_of(self.stage.database, self.theirs.tenant)
        await self.do_what_it_is_for(target)
        after = rows_of(self.stage.database, self.theirs.tenant)
        self.findings += [f"asked about one tenant, it changes another: {line}" for line in differences(before, after)]

    async def look_up(self, target: Target) -> None:
        for planted in (self.ours, self.theirs):
            await self.garden.look_up(planted, self.stage.ask, target.described)
        for source in target.described.sources():
            if source.collection not in self.ours.rows:
                tried = [one for one in self.garden.creators if one.described.shape == source.collection]
                said = [f"; {one.where} answers {self.ours.answers[one.where][0]}" for one in tried]
                cure = f"name where its rows come from by '{SOURCE}', or correct the example of what makes them"
                raise NotExercised(f"nothing of {source.collection} could be made or listed{''.join(said)}; {cure}")

    async def etags(self, target: Target) -> list[str]:
        """Those of a row of ours and one of theirs, read at the same address."""
        return [etag for planted in (self.ours, self.theirs) if (etag := await self.etag(target, planted, MARKED))]

    async def etag(self, target: Target, planted: Planted, copy: int) -> str | None:
        reader = self.garden.lists.get(target.described.shape)
        if reader is None:
            return None
        path = planted.path(reader.described, copy)
        query = planted.query(reader.described, copy)
        answer = await self.stage.ask(planted, reader, Question(method="GET", path=path, query=query))
        return answer.header("etag")

    async def compare(self, pair: Pair, role: str) -> None:
        """Ask both; what they cost is asked again when it differs, as others may have asked the database meanwhile."""
        caller = self.stage.caller(role, self.ours.slug)
        found: list[str] = []
        for _ in range(TRIES):
            theirs, nobodys = await caller.ask(pair.theirs), await caller.ask(pair.nobodys)
            found = list(unlike(theirs, nobodys))
            if not found:
                break
        self.findings += [
            f"what is another tenant's can be told from what is not there ({pair.what}): {one}" for one in found
        ]
        for answer in (theirs, nobodys):
            self.look(answer)

    async def cursors(self, target: Target, pairing: Pairing) -> AsyncGenerator[Pair]:
        """The cursor that the other tenant was given, beside one that nobody was."""
        if target.described.pages:
            question = replace(self.question(target, self.theirs), query={"limit": "1"})
            page = json_of(await self.stage.ask(self.theirs, target, question))
            following = page.get("next") if isinstance(page, dict) else None
            for cursor in parse_qs(urlsplit(following or "").query).get("cursor", ()):
                yield pairing.asked_by_query("cursor", cursor, cursor[::-1])

    async def take_turns(self, target: Target) -> None:
        """The same address by turns, each with the ETag that the other was given: whatever is cached, is by tenant."""
        etags: list[str] = []
        for planted, other in ((self.ours, self.theirs), (self.theirs, self.ours), (self.ours, self.theirs)):
            question = replace(self.question(target, planted), headers={"If-None-Match": etags[-1]} if etags else {})
            answer = await self.stage.ask(planted, target, question)
            self.look_at_headers(answer)
            if secrets := answer.leaks(other.secrets() - planted.secrets()):
                self.findings.append(f"it tells a tenant what is another's: {', '.join(secrets)}")
            if answer.status == NOT_MODIFIED:
                self.findings.append(f"another tenant's ETag {etags[-1]} is answered 304")
            if etag := answer.header("etag"):
                etags.append(etag)

    async def do_what_it_is_for(self, target: Target) -> None:
        """Ask with what is ours: a route that refuses that too has been compared with nothing."""
        if target.where in self.ours.answers:
            self.look_at_creation(target.where)
            return
        answer = await self.ask(self.ours, target, self.question(target, self.ours))
        if answer.status == PRECONDITION_REQUIRED and (etag := await self.etag(target, self.ours, FIRST)):
            question = replace(self.question(target, self.ours), headers={"If-Match": etag})
            answer = await self.ask(self.ours, target, question)
        if not answer.is_done and answer.status != CONFLICT:  # which its rules say of a row that they have found
            cure = "correct the example of its body, or say by 'x-vinc-source' where its values come from"
            raise NotExercised(f"{target.where}: asked with what is the caller's own it answers {answer}; {cure}")
        if self.method == "GET" and target.described.shape in self.ours.rows:
            row = self.ours.rows[target.described.shape][0]
            if "id" in row and str(row["id"]) not in answer.text:
                self.findings.append(f"it does not list what the tenant has just made: {answer}")

    def look_at_creation(self, where: str) -> None:
        """Both have sent the same example: keys that see each other's rows would refuse one of them."""
        ours, theirs = self.ours.answers[where][FIRST], self.theirs.answers[where][FIRST]
        if not ours.is_done:
            raise NotExercised(f"{where}: its example is answered {ours}; correct the example of its body")
        if theirs.status != ours.status:
            what = "some key does not begin with tenant_id"
            self.findings.append(f"what one tenant could make, the next cannot ({what}): {ours.status}, then {theirs}")
        for answer in self.ours.answers[where]:
            self.look(answer)

    def question(self, target: Target, planted: Planted) -> Question:
        described: Described = target.described
        path, query = planted.path(described, FIRST), planted.query(described, FIRST)
        return Question(method=self.method, path=path, query=query, body=planted.body(described, FIRST))

    async def ask(self, planted: Planted, target: Target, question: Question) -> Answer:
        answer = await self.stage.ask(planted, target, question)
        if self.endpoint.requirement.platform or self.endpoint.requirement.public:
            self.look_for_failure(answer)  # the platform sees all tenants
        else:
            self.look(answer)
        return answer

    def look(self, answer: Answer) -> None:
        """What no answer to a tenant's user may be."""
        self.look_for_failure(answer)
        self.look_at_headers(answer)
        self.look_for_leaks(answer)

    def look_for_failure(self, answer: Answer) -> None:
        if answer.status >= SERVER_ERROR:
            self.findings.append(f"{answer.question.method} {answer.question.path} answers {answer}")

    def look_for_leaks(self, answer: Answer) -> None:
        if secrets := answer.leaks(self.theirs.secrets() - self.ours.secrets()):
            self.findings.append(f"it tells a tenant what is another's: {', '.join(secrets)}")

    def look_at_headers(self, answer: Answer) -> None:
        """The tenant is in a header, and caches know addresses (threat I18)."""
        directives = {one.strip() for one in (answer.header("cache-control") or "").split(",")}
        if directives != {"private", "no-cache"}:
            self.findings.append(f"its Cache-Control is not 'private, no-cache' but {answer.header('cache-control')!r}")
        varies = {one.strip().lower() for name, value in answer.headers if name == "vary" for one in value.split(",")}
        if missing := {"authorization", self.stage.tenant_header.lower()} - varies:
            self.findings.append(f"its Vary lacks {', '.join(sorted(missing))}")

    async def walk_websocket(self) -> None:
        described = self.stage.described(self.method, self.endpoint)
        await self.look_up(Target(self.endpoint, self.method, described))
        path = self.ours.path(described, FIRST)
        nobody = await shake_hands(self.stage.app, path, {})
        if nobody["type"] != "websocket.close":
            self.findings.append(f"who is not signed in is answered {nobody}")
        role = self.stage.role_in_tenant(self.endpoint.requirement) or ANYBODY
        headers = dict(self.stage.caller(role, self.ours.slug).client.headers)
        for pair in Pairing(method="GET", described=described, ours=self.ours, theirs=self.theirs).pairs():
            theirs, nobodys = [
                await shake_hands(self.stage.app, one.path, headers) for one in (pair.theirs, pair.nobodys)
            ]
            if theirs != nobodys:
                self.findings.append(
                    f"what is another tenant's is told from what is not there: {theirs}, not {nobodys}"
                )

    async def walk_mount(self) -> None:
        at = self.endpoint.path.removesuffix("/{path:path}")
        target = Target(self.endpoint, "GET", Described(path=at))
        caller = self.stage.caller(self.stage.role_in_tenant(self.endpoint.requirement) or ANYBODY, self.ours.slug)
        self.look(await caller.ask(Question(method="GET", path=f"{at}/")))
        for secret in sorted(self.theirs.secrets()):
            unknown = str(uuid7())
            answers = [
                await self.stage.ask(
                    self.ours, target, Question(method="GET", path=f"{at}/{one}", about=(secret, unknown))
                )
                for one in (secret, unknown)
            ]
            self.findings += [f"{at}/{secret} can be told from what is not there: {one}" for one in unlike(*answers)]
