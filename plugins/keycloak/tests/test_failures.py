"""What goes wrong on the way to Keycloak is one line that names the setting to look at, and nothing secret."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vinc_identity.contracts import ProviderUnavailable
from vinc_keycloak.errors import Refused
from vinc_keycloak.service.connection import admin

from .conftest import GIVEN, Answer, answering, server, settings

TOKEN = '{"access_token": "canary-of-a-token", "refresh_token": "canary-of-a-refresh", "expires_in": 60}'
CANARIES = ("canary", GIVEN["VINC_KEYCLOAK_ADMIN_PASSWORD"])
URL = "VINC_KEYCLOAK_SERVER_URL"


async def line_of(**environ: str) -> str:
    async with admin(settings(**environ)) as connection:
        with pytest.raises(ProviderUnavailable) as refused:
            await connection.ask("find a user", lambda keycloak: keycloak.a_get_users({"max": 1}))
    message = str(refused.value)
    assert "\n" not in message
    assert not any(canary in message for canary in CANARIES), message
    assert refused.value.__cause__ is None
    return message


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte from time to time, which starts the time limit of one read anew."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


@pytest.mark.parametrize("answer", [silence, drip])
async def test_a_slow_server_is_a_timeout(answer: Answer) -> None:
    async with server(answer) as url:
        message = await line_of(**{URL: url, "VINC_KEYCLOAK__TIMEOUT": "0.3"})

    assert message.startswith(f"Keycloak at {url} did not answer within 0.3 s")
    assert "VINC_KEYCLOAK__SERVER_URL and VINC_KEYCLOAK__TIMEOUT" in message


async def test_connection_refused(unused_tcp_port: int) -> None:
    message = await line_of(**{URL: f"http://127.0.0.1:{unused_tcp_port}"})

    assert "cannot be reached: connection refused: see whether it runs, and VINC_KEYCLOAK__SERVER_URL" in message


async def test_an_unknown_host() -> None:
    assert "cannot be reached:" in await line_of(**{URL: "http://keycloak.invalid"})


async def test_a_server_that_does_not_speak_http() -> None:
    async with server(no_http) as url:
        message = await line_of(**{URL: url})

    assert "cannot be reached: " in message
    assert message.endswith("see whether it runs, and VINC_KEYCLOAK__SERVER_URL")


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "server.pem"
    path.write_bytes(key.private_bytes(pem, kind, plain) + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_self_signed_certificate(self_signed: ssl.SSLContext) -> None:
    async with server(answering((200, TOKEN), (200, "[]")), self_signed) as url:
        message = await line_of(**{URL: url})
        async with admin(settings(**{URL: url, "VINC_KEYCLOAK_VERIFY_SSL": "false"})) as connection:
            found = await connection.ask("find a user", lambda keycloak: keycloak.a_get_users({"max": 1}))

    assert "is not trusted, TLS: self-signed certificate: name the file" in message
    assert "VINC_KEYCLOAK__VERIFY_SSL=false" in message
    assert found == []


async def test_http_where_https_was_meant() -> None:
    async with server(no_http) as url:
        message = await line_of(**{URL: url.replace("http:", "https:")})

    assert "whether VINC_KEYCLOAK__SERVER_URL is to say http" in message


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            [(401, '{"error": "invalid_grant canary"}')],
            "set VINC_KEYCLOAK__ADMIN_USERNAME and VINC_KEYCLOAK__ADMIN_PASS",
        ),
        ([(400, '{"error": "invalid_grant"}')], "does not accept the admin that is named for the realm 'master'"),
        ([(404, '{"error": "Realm does not exist"}')], "set VINC_KEYCLOAK__ADMIN_USER_REALM"),
        ([(502, "<html>canary</html>")], "refuses to let its admin sign in: it fails by itself with status 502"),
        ([(200, "<html>canary</html>")], "does not answer as Keycloak does: see VINC_KEYCLOAK__SERVER_URL"),
        ([(200, '{"canary": 1}')], "does not answer as Keycloak does"),
        ([(200, TOKEN), (200, '{"canary": 1}')], "does not answer as Keycloak does"),
        ([(200, TOKEN), (403, '{"error": "canary"}')], "refuses to find a user: its admin may not in the realm 'vinc'"),
        ([(200, TOKEN), (404, "{}")], "or there is no realm 'vinc': `vinc keycloak bootstrap` makes the realm"),
        ([(200, TOKEN), (400, '{"errorMessage": "canary"}')], "it does not take what it was sent (status 400)"),
        ([(200, TOKEN), (503, "canary")], "it fails by itself with status 503: its log says more"),
    ],
)
async def test_error_responses(answers: list[tuple[int, str]], expected: str) -> None:
    async with server(answering(*answers)) as url:
        assert expected in await line_of(**{URL: url})


async def test_a_client_that_is_not_accepted_is_told_of_its_own_settings() -> None:
    client = {"VINC_KEYCLOAK_ADMIN_CLIENT_ID": "admin", "VINC_KEYCLOAK_ADMIN_CLIENT_SECRET": "canary-of-a-secret"}
    nobody = {"VINC_KEYCLOAK_ADMIN_USERNAME": "", "VINC_KEYCLOAK_ADMIN_PASSWORD": ""}
    async with server(answering((401, '{"error": "unauthorized_client"}'))) as url:
        message = await line_of(**{URL: url, **client, **nobody})

    assert message.endswith("set VINC_KEYCLOAK__ADMIN_CLIENT_ID and VINC_KEYCLOAK__ADMIN_CLIENT_SECRET")


async def test_a_refusal_says_its_status() -> None:
    async with server(answering((200, TOKEN), (409, "{}"))) as url, admin(settings(**{URL: url})) as connection:
        with pytest.raises(Refused) as refused:
            await connection.ask("make a user", lambda keycloak: keycloak.a_create_user({}))

    assert (refused.value.status, "there is one already" in str(refused.value)) == (409, True)
