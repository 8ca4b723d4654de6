"""The page on which a person chooses a password. It has no scripts and loads nothing."""

from base64 import b64encode
from hashlib import sha256
from html import escape

from starlette.responses import HTMLResponse

from .service.passwords import MAX_LENGTH, MIN_LENGTH

STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem}"
    "label,input,button{display:block;width:100%;box-sizing:border-box}"
    "input,button{font:inherit;padding:.5rem;margin:0 0 1rem}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",  # the address has the token in it
    "X-Content-Type-Options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body><h1>{title}</h1>
{body}
</body>
</html>
"""
# The form has an action of its own: without it the browser would repeat the token in the query.
FORM = """<p>{message}</p>
<form method="post" action="password">
<input type="hidden" name="token" value="{token}">
<label>Account<input type="email" value="{email}" autocomplete="username" readonly></label>
<label>New password, {shortest} characters at least<input name="password" {field}></label>
<label>Once more<input name="again" {field}></label>
<button>Set the password</button>
</form>"""
FIELD = f'type="password" autocomplete="new-password" minlength="{MIN_LENGTH}" maxlength="{MAX_LENGTH}" required'
INVALID = "<p>It was used already, is older than a day, or is not whole. Ask whoever invited you for another one.</p>"
DONE = "<p>You can sign in with it now, and close this page.</p>"


def form(token: str, email: str, *, wrong: str = "") -> HTMLResponse:
    message = wrong or "It replaces the one that you have, if any; who is signed in with that one cannot stay so."
    body = FORM.format(
        message=escape(message), token=escape(token), email=escape(email), shortest=MIN_LENGTH, field=FIELD
    )
    return page("Choose a password", body, status=400 if wrong else 200)


def invalid() -> HTMLResponse:
    return page("This link is not valid any more", INVALID, status=400)


def unreadable(what: str) -> HTMLResponse:
    return page("This could not be read", f"<p>{escape(what)}</p>", status=400)


def done() -> HTMLResponse:
    return page("Your password is set", DONE, status=200)


def page(title: str, body: str, *, status: int) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=title, style=STYLE, body=body), status_code=status, headers=HEADERS)
