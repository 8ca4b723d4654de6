"""What other plugins may import: an identity provider is a plugin behind this protocol.

One provider an installation: its lifespan tells the kernel whose tokens to believe, `app.trust(Issuer(...))`, and
offers itself, `app.provide(provider, IdentityProvider)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vinc_kernel import VincError


class ProviderUnavailable(VincError):
    """The identity provider cannot be asked, or refuses to be: what was wanted may or may not have happened.

    The text is one line that is safe to show: no password, no token, no answer's body.
    """


class UserExists(VincError):
    """The identity provider has a user with this address already."""


class UserMissing(VincError):
    """The identity provider has no such user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider keeps of a user, and stamps into tokens. `tenants` are ids or slugs; `role` may be empty.

    The claims are `email`, `name`, `role`, `allowed_wholesalers`, `multi_tenant` ("true" for more than one tenant),
    `allowed_customers`, `allowed_addresses`.
    """

    email: str
    name: str = ""
    role: str = ""
    tenants: Sequence[str] = ()
    customers: Sequence[str] = ()
    addresses: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderUser:
    """A user as the provider has it; `subject` is the `sub` of their tokens, and never anybody else's."""

    subject: str
    profile: Profile
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCredentials:
    """A machine's: `client_id` and `secret` are exchanged for tokens of `subject` by the client-credentials grant."""

    subject: str
    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ServiceCredentials(client_id={self.client_id!r})"


class IdentityProvider(Protocol):
    """Who signs people in. Every method may raise ProviderUnavailable; those that name a subject, UserMissing."""

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""

    async def find(self, email: str) -> ProviderUser | None:
        """The user with this address; None when there is none."""

    async def create(self, profile: Profile) -> ProviderUser:
        """Make a user, who cannot sign in until a password is set; raises UserExists."""

    async def update(self, subject: str, profile: Profile) -> None:
        """Make the user's profile equal to this one; what the provider keeps besides stays."""

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        """Keep a user or a service account from getting tokens, or let them again. Doing it twice is no error."""

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        """Set the password; a temporary one must be changed at the next sign-in."""

    async def invite(self, subject: str) -> str | None:
        """Have the person choose a password: send a mail (None), or return the link that the caller passes on."""

    async def end_sessions(self, subject: str, generation: int) -> None:
        """End all sessions, and then stamp this number into every token from now on, as the claim `vinc_generation`.

        In this order: a session that is not ended yet must never get a token with the new number. A number that is not
        higher than the present one changes nothing. Works for service accounts as well, which have no sessions.
        """

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        """Make a service account, whose tokens carry our audience and these claims; raises UserExists."""

    async def find_service(self, name: str) -> str | None:
        """The subject of the service account that was made with this name; None when there is none."""

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        """Give a service account another secret; the one before gets no tokens any more, those that it got stay."""

    async def delete_service(self, subject: str) -> None:
        """Take a service account away; another one of its name has another subject."""
