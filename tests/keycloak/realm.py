"""One realm of a real Keycloak, and what a test does in it by hand, past everything of ours."""

import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import loads
from typing import Any

import httpx

from .browser import REDIRECT, Tokens, sign_in
from .server import Keycloak

PASSWORD = "correct horse battery staple 1"
SECONDS_OF_ADMIN = 40  # Keycloak's admin tokens live for 60


@dataclass
class Realm:
    """A realm by its name, whether it is there or not; `admin` calls go below `/admin/realms/<name>`."""

    keycloak: Keycloak
    name: str
    mail_port: int
    http: httpx.Client
    token: str = field(default="", repr=False)
    until: float = 0

    @property
    def url(self) -> str:
        return f"{self.keycloak.url}/realms/{self.name}"

    @property
    def environ(self) -> dict[str, str]:
        """The settings of an installation that has it."""
        return {
            "VINC_KEYCLOAK_SERVER_URL": self.keycloak.url,
            "VINC_KEYCLOAK_REALM": self.name,
            "VINC_KEYCLOAK__TIMEOUT": "60",  # a realm takes its time on a machine that does other things as well
            "VINC_KEYCLOAK_ADMIN_USERNAME": self.keycloak.username,
            "VINC_KEYCLOAK_ADMIN_PASSWORD": self.keycloak.password,
            "VINC_KEYCLOAK__REDIRECT_URIS": REDIRECT,
            "VINC_KEYCLOAK__SMTP_HOST": "127.0.0.1",
            "VINC_KEYCLOAK__SMTP_PORT": str(self.mail_port),
            "VINC_KEYCLOAK__SMTP_FROM": "vinc@mail.example",
            "VINC_KEYCLOAK__SMTP_STARTTLS": "false",
        }

    def admin(self, method: str, path: str, body: object = None, *, missing: bool = False) -> Any:
        """Ask Keycloak's admin interface; raises for what it refuses, but with `missing` not for what is not there."""
        answer = self.send(method, path, body)
        if answer.status_code == 401:  # a test signs the administrator out, maybe in another worker
            self.until = 0
            answer = self.send(method, path, body)
        if answer.status_code == 404 and missing:
            return None
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else answer.headers.get("location", "").rpartition("/")[2]

    def send(self, method: str, path: str, body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.admin_token()}"}
        url = f"{self.keycloak.url}/admin/realms/{self.name}{path}"
        return self.http.request(method, url, json=body, headers=headers)

    def admin_token(self) -> str:
        if time.monotonic() > self.until:
            admin = {"grant_type": "password", "client_id": "admin-cli"}
            who = {"username": self.keycloak.username, "password": self.keycloak.password}
            url = f"{self.keycloak.url}/realms/master/protocol/openid-connect/token"
            answer = self.http.post(url, data={**admin, **who})
            assert answer.is_success, answer.text
            self.token, self.until = answer.json()["access_token"], time.monotonic() + SECONDS_OF_ADMIN
        return self.token

    def create(self) -> None:
        """Make the realm as Keycloak makes one by itself."""
        headers = {"Authorization": f"Bearer {self.admin_token()}"}
        body = {"realm": self.name, "enabled": True}
        self.http.post(f"{self.keycloak.url}/admin/realms", json=body, headers=headers).raise_for_status()

    def person(self, email: str, **attributes: Sequence[str]) -> str:
        """Make a user who can sign in at once; what is returned is their `sub`."""
        password = {"type": "password", "value": PASSWORD, "temporary": False}
        made = {"email": email, "enabled": True, "firstName": "A", "lastName": "B", "credentials": [password]}
        return str(self.admin("POST", "/users", {**made, "username": email, "attributes": attributes}))

    def client(self, client_id: str) -> str:
        """Keycloak's key of a client."""
        (found,) = self.admin("GET", f"/clients?clientId={client_id}")
        return str(found["id"])

    def sign_in(
        self, email: str, password: str = PASSWORD, *, client: str = "vinc-web", redirect: str = REDIRECT
    ) -> Tokens:
        return sign_in(self.http, self.url, email, password, client=client, redirect=redirect)

    def grant(self, **fields: str) -> httpx.Response:
        """Ask for tokens without a browser."""
        return self.http.post(f"{self.url}/protocol/openid-connect/token", data=fields)

    def refresh(self, tokens: Tokens) -> httpx.Response:
        given = {"grant_type": "refresh_token", "client_id": "vinc-web"}
        return self.grant(**given, refresh_token=tokens["refresh_token"])


def claims(token: str) -> Mapping[str, Any]:
    """What a token says, whoever signed it."""
    part = token.split(".")[1]
    found: Mapping[str, Any] = loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
