"""What other plugins may import: an identity provider is a plugin that implements this protocol.

An installation has one provider. Its lifespan tells the kernel which tokens to trust, `app.trust(Issuer(...))`, and
provides itself, `app.provide(provider, IdentityProvider)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vinc_kernel import VincError


class ProviderUnavailable(VincError):
    """The identity provider cannot be reached, or rejects the call: the change may or may not have been made.

    The message is one line that is safe to show: it has no password, token or response body.
    """


class UserExists(VincError):
    """The identity provider already has a user with this address."""


class UserMissing(VincError):
    """The identity provider has no such user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider keeps of a user and writes into tokens. `tenants` are ids or slugs; `role` may be empty.

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
    """A user as the provider has it; `subject` is the `sub` of their tokens, and is never reused for another user."""

    subject: str
    profile: Profile
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCredentials:
    """The credentials of a service account: `client_id` and `secret` get tokens by the client-credentials grant."""

    subject: str
    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"ServiceCredentials(client_id={self.client_id!r})"


class IdentityProvider(Protocol):
    """The service that signs users in.

    Every method may raise ProviderUnavailable; those that take a subject may raise UserMissing.
    """

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""

    async def find(self, email: str) -> ProviderUser | None:
        """Return the user with this address, or None."""

    async def create(self, profile: Profile) -> ProviderUser:
        """Create a user, who cannot sign in until a password is set; raises UserExists."""

    async def update(self, subject: str, profile: Profile) -> None:
        """Replace the user's profile; other data that the provider keeps is unchanged."""

    async def disable(self, subject: str, *, disabled: bool = True) -> None:
        """Stop or resume issuing tokens to a user or a service account. Idempotent."""

    async def set_password(self, subject: str, password: str, *, temporary: bool = False) -> None:
        """Set the password; a temporary one must be changed at the next sign-in."""

    async def invite(self, subject: str) -> str | None:
        """Let the user choose a password: send a mail and return None, or return a link for the caller to pass on."""

    async def end_sessions(self, subject: str, generation: int) -> None:
        """End all sessions, and then write this number into every later token, as the claim `vinc_generation`.

        The order matters: a session that has not ended yet must never get a token with the new number. A number that
        is not higher than the current one changes nothing. Also works for service accounts, which have no sessions.
        """

    async def create_service(self, name: str, profile: Profile) -> ServiceCredentials:
        """Create a service account, whose tokens have our audience and these claims; raises UserExists."""

    async def find_service(self, name: str) -> str | None:
        """Return the subject of the service account with this name, or None."""

    async def new_service_secret(self, subject: str) -> ServiceCredentials:
        """Replace a service account's secret; the old one gets no more tokens, its existing tokens stay valid."""

    async def delete_service(self, subject: str) -> None:
        """Delete a service account; a later one with the same name has another subject."""
