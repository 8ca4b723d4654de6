"""The routes of the development issuer: discovery, keys, tokens, and the page to choose a password."""

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from vinc_kernel import inject, public

from . import forms, pages
from .errors import FormRefused, TokenRefused
from .schemas import OAuthError
from .service import invites
from .service.grants import grant
from .service.issuer import DevIssuer
from .service.keys import ALGORITHM
from .service.passwords import MAX_LENGTH, MIN_LENGTH
from .service.tokens import SCOPES

router = APIRouter(prefix="/devissuer", tags=["devissuer"])
CurrentIssuer = Annotated[DevIssuer, inject(DevIssuer)]
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749, 5.1
CHALLENGE = {"WWW-Authenticate": 'Basic realm="devissuer"'}  # RFC 6749, 5.2
NO_TOKEN: dict[int | str, dict[str, Any]] = {
    400: {"model": OAuthError, "description": "No token is given (RFC 6749, 5.2)."},
    401: {"model": OAuthError, "description": "The client is refused (RFC 6749, 5.2)."},
}
NO_PASSWORD: dict[int | str, dict[str, Any]] = {
    400: {"content": {"text/html": {}}, "description": "The page, with what was wrong."}
}
GRANTS = ["password", "refresh_token", "client_credentials"]


def form_body(*names: str) -> dict[str, Any]:
    """Return the OpenAPI description of a form; FastAPI's own `Form` would parse it less strictly."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": [names[0]]}
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


@router.get(
    "/.well-known/openid-configuration",
    dependencies=[public("clients find the issuer's addresses before anybody signs in")],
)
async def discovery(issuer: CurrentIssuer) -> dict[str, Any]:
    """Return the discovery document (OpenID Connect Discovery 1.0, 3). There is no authorization endpoint."""
    return {
        "issuer": issuer.url,
        "token_endpoint": f"{issuer.url}/token",
        "jwks_uri": f"{issuer.url}/jwks",
        "grant_types_supported": GRANTS,
        "response_types_supported": [],
        "scopes_supported": list(SCOPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    }


@router.get("/jwks", dependencies=[public("whoever verifies a token needs the public keys")])
async def jwks(issuer: CurrentIssuer) -> dict[str, Any]:
    """Return the public keys (RFC 7517, 5)."""
    await issuer.keys.ensure()
    return dict(await issuer.keys.public_key_set())


@router.post(
    "/token",
    response_class=JSONResponse,
    responses=NO_TOKEN,
    dependencies=[public("a token is had for a password, a refresh token or a client's secret")],
    openapi_extra=form_body(
        "grant_type", "username", "password", "refresh_token", "client_id", "client_secret", "scope"
    ),
)
async def token(request: Request, issuer: CurrentIssuer) -> Response:
    """Return tokens for a password, a refresh token, or a client's own secret (RFC 6749, 4.3, 6 and 4.4)."""
    try:
        form = await forms.read_form_with_client(request)
        tokens = await grant(issuer, form, request.client.host if request.client else "")
    except FormRefused as refused:
        return to_oauth_response(TokenRefused("invalid_request", str(refused)))
    except TokenRefused as refused:
        return to_oauth_response(refused)
    return JSONResponse(tokens, headers=NO_STORE)


def to_oauth_response(refused: TokenRefused) -> Response:
    """Return an error of RFC 6749, 5.2, which OAuth clients expect instead of a problem document."""
    error = OAuthError(error=refused.error, error_description=refused.description, error_uri=refused.page or None)
    content = error.model_dump(exclude_none=True)
    if refused.error != "invalid_client":
        return JSONResponse(content, status_code=400, headers=NO_STORE)
    return JSONResponse(content, status_code=401, headers=NO_STORE | CHALLENGE)


@router.get(
    "/password",
    response_class=HTMLResponse,
    responses=NO_PASSWORD,
    dependencies=[public("whoever has the link chooses a password, and cannot sign in before that")],
)
async def show_password(issuer: CurrentIssuer, token: str = "") -> Response:
    """Return the page that an invitation links to."""
    user = await invites.find_invite(issuer, token)
    return pages.form(token, user.email) if user else pages.invalid()


@router.post(
    "/password",
    response_class=HTMLResponse,
    responses=NO_PASSWORD,
    dependencies=[public("the token in the form is the proof, and good for one use")],
    openapi_extra=form_body("token", "password", "again"),
)
async def choose_password(request: Request, issuer: CurrentIssuer) -> Response:
    """Set the password that was chosen on the page."""
    try:
        form = await forms.read_form(request)
    except FormRefused as refused:
        return pages.unreadable(str(refused))
    token, password = form.get("token", ""), form.get("password", "")
    user = await invites.find_invite(issuer, token)
    if user is None:
        return pages.invalid()
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return pages.form(token, user.email, wrong=f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    if form.get("again") != password:
        return pages.form(token, user.email, wrong="The two are not the same: write it once more.")
    return pages.done() if await invites.set_password(issuer, token, password) else pages.invalid()
