"""A person with a browser, as far as signing in needs one: cookies, the login form, the code, PKCE (RFC 7636)."""

import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

form_action = re.compile(r'<form [^>]*action="([^"]+)"').search
REDIRECT = "http://127.0.0.1:8000/docs/oauth2-redirect"
Tokens = dict[str, Any]


class NotSignedIn(Exception):
    """Keycloak did not let them in; the text is the page's."""


@dataclass
class Browser:
    """Its cookies go back to where they came from, Secure or not: a browser trusts its own machine."""

    http: httpx.Client
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, url: str, data: dict[str, str] | None = None) -> httpx.Response:
        """One request, and no redirect."""
        header = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = self.http.request(method, url, data=data, headers=header)
        for one in answer.headers.get_list("set-cookie"):
            name, _, value = one.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """Redirects, up to one that hands over a code, or leaves this server."""
        here = urlsplit(str(answer.url)).netloc
        while answer.is_redirect:
            to = urlsplit(answer.headers["location"])
            if to.netloc != here or "code" in parse_qs(to.query):
                break
            answer = self.send("GET", to.geturl())
        return answer

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """The page's form, filled in."""
        found = form_action(page.text)
        if not found:
            raise NotSignedIn(page.text)
        return self.follow(self.send("POST", unescape(found[1]), fields))


def sign_in(
    http: httpx.Client, realm: str, username: str, password: str, *, client: str = "vinc-web", redirect: str = REDIRECT
) -> Tokens:
    """The tokens of a login on Keycloak's own page; raises NotSignedIn."""
    browser, verifier = Browser(http), secrets.token_urlsafe(48)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": client,
        "response_type": "code",
        "redirect_uri": redirect,
        "scope": "openid",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    page = browser.send("GET", str(httpx.URL(f"{realm}/protocol/openid-connect/auth", params=asked)))
    done = browser.submit(page, username=username, password=password)
    if not done.is_redirect:
        raise NotSignedIn(done.text)
    code = parse_qs(urlsplit(done.headers["location"]).query)["code"][0]
    given = {"grant_type": "authorization_code", "client_id": client, "redirect_uri": redirect}
    answer = http.post(
        f"{realm}/protocol/openid-connect/token", data={**given, "code": code, "code_verifier": verifier}
    )
    answer.raise_for_status()
    tokens: Tokens = answer.json()
    return tokens
