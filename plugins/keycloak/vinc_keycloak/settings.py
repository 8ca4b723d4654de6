"""The settings of this plugin: VINC_KEYCLOAK__REALM in the environment, or `realm` in plugins.toml.

Names with one underscore, like VINC_KEYCLOAK_REALM, are older names of the same settings.
"""

from collections.abc import Iterable
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from vinc_kernel import Settings, is_tls_or_loopback


def check_url(value: str) -> str:
    """Return a URL without a trailing slash; only a path may follow the host."""
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment or parts.username is not None or not value.isprintable():
        message = "write it as https://login.example, with its port and path if it has them, and nothing else"
        raise ValueError(message)
    return value.rstrip("/")


Address = Annotated[str, AfterValidator(check_url)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
AttributeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,99}$")]
Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65535)]


class KeycloakSettings(Settings):
    """Where Keycloak is, its admin, and what `vinc keycloak bootstrap` sets up.

    Without `server_url` nobody can sign in. `issuer` is the `iss` of tokens, where that is not
    `<server_url>/realms/<realm>`. `timeout` is for each call, in seconds.
    """

    server_url: Address | None = Field(None, validation_alias="VINC_KEYCLOAK_SERVER_URL")
    realm: Name = Field("vinc", validation_alias="VINC_KEYCLOAK_REALM")
    issuer: Address | None = None
    verify_ssl: bool = Field(default=True, validation_alias="VINC_KEYCLOAK_VERIFY_SSL")
    timeout: Seconds = 10

    admin_user_realm: Name = Field("master", validation_alias="VINC_KEYCLOAK_ADMIN_USER_REALM")
    admin_username: str | None = Field(None, validation_alias="VINC_KEYCLOAK_ADMIN_USERNAME")
    admin_password: SecretStr | None = Field(None, validation_alias="VINC_KEYCLOAK_ADMIN_PASSWORD")
    admin_client_id: str | None = Field(None, validation_alias="VINC_KEYCLOAK_ADMIN_CLIENT_ID")
    admin_client_secret: SecretStr | None = Field(None, validation_alias="VINC_KEYCLOAK_ADMIN_CLIENT_SECRET")

    client: Name = "vinc-web"
    redirect_uris: list[str] = Field([])
    web_origins: list[str] = Field([])
    password_grant: bool = False

    role_attribute: AttributeName = Field("role", validation_alias="VINC_KEYCLOAK_ROLE_ATTRIBUTE")
    allowed_customers_attribute: AttributeName = Field(
        "allowed_customers", validation_alias="VINC_KEYCLOAK_ALLOWED_CUSTOMERS_ATTRIBUTE"
    )
    allowed_addresses_attribute: AttributeName = Field(
        "allowed_addresses", validation_alias="VINC_KEYCLOAK_ALLOWED_ADDRESSES_ATTRIBUTE"
    )
    allowed_wholesalers_attribute: AttributeName = Field(
        "allowed_wholesalers", validation_alias="VINC_KEYCLOAK_ALLOWED_WHOLESALERS_ATTRIBUTE"
    )
    multi_tenant_attribute: AttributeName = Field(
        "multi_tenant", validation_alias="VINC_KEYCLOAK_MULTI_TENANT_ATTRIBUTE"
    )
    generation_attribute: AttributeName = Field(
        "vinc_generation", validation_alias="VINC_KEYCLOAK_GENERATION_ATTRIBUTE"
    )

    smtp_host: str | None = None
    smtp_port: Port = 587
    smtp_from: str | None = None
    smtp_from_name: str = ""
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = True
    smtp_ssl: bool = False

    @property
    def issuer_url(self) -> str:
        """The `iss` of its tokens."""
        return self.issuer or f"{self.server_url}/realms/{self.realm}"

    @property
    def attributes(self) -> dict[str, str]:
        return {
            "role": self.role_attribute,
            "allowed_wholesalers": self.allowed_wholesalers_attribute,
            "multi_tenant": self.multi_tenant_attribute,
            "allowed_customers": self.allowed_customers_attribute,
            "allowed_addresses": self.allowed_addresses_attribute,
            "vinc_generation": self.generation_attribute,
        }

    def not_for_production(self) -> Iterable[str]:
        """A missing address, connections without TLS, and the password grant (RFC 9700, 2.4)."""
        if self.server_url is None:
            yield (
                "VINC_KEYCLOAK__SERVER_URL: nobody has said where Keycloak is: set it, "
                "or let another plugin sign people in: vinc plugins disable keycloak"
            )
        elif not is_tls_or_loopback(self.server_url):
            yield "VINC_KEYCLOAK__SERVER_URL: its keys would come without TLS, and could be anybody's: write https"
        if self.issuer is not None and not is_tls_or_loopback(self.issuer):
            yield "VINC_KEYCLOAK__ISSUER: people would sign in there without TLS: write https"
        in_clear = not self.smtp_starttls and not self.smtp_ssl
        if self.smtp_host is not None and in_clear and not is_tls_or_loopback(f"smtp://{self.smtp_host}"):
            yield "VINC_KEYCLOAK__SMTP_STARTTLS: links in mails would travel in clear: unset it, or set SMTP_SSL"
        if self.password_grant:
            yield "VINC_KEYCLOAK__PASSWORD_GRANT: the password grant is for development: unset it"
        if not self.verify_ssl:
            rule = "a certificate that is not looked at is for development"
            yield f"VINC_KEYCLOAK__VERIFY_SSL: {rule}: unset it, and name an authority of your own by SSL_CERT_FILE"

    @field_validator("redirect_uris")
    @classmethod
    def refuse_patterns(cls, addresses: list[str]) -> list[str]:
        """Accept exact addresses only: a pattern could match an attacker's, who would get the code (RFC 9700)."""
        for address in addresses:
            parts = urlsplit(address)
            if "*" in address or parts.fragment or parts.scheme not in {"http", "https"} or not parts.hostname:
                message = "write each in full, like https://app.example/signed-in; `*` and `#` are refused"
                raise ValueError(message)
        return addresses

    @field_validator("web_origins")
    @classmethod
    def refuse_any_origin(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or "*" in origin:
                message = "write each as https://app.example, with its port if it has one, and without a path"
                raise ValueError(message)
        return origins

    @model_validator(mode="after")
    def refuse_half_a_sign_in(self) -> Self:
        """Require user and password, or an admin client with its secret."""
        if self.server_url is None:
            return self
        if self.admin_username and self.admin_password:
            return self
        if self.admin_username or self.admin_password:
            missing = "ADMIN_PASSWORD" if self.admin_username else "ADMIN_USERNAME"
            message = f"VINC_KEYCLOAK__{missing} is missing: user and password belong together"
            raise ValueError(message)
        if self.admin_client_id and self.admin_client_secret:
            return self
        message = (
            "nobody is named who may look after Keycloak: set VINC_KEYCLOAK__ADMIN_USERNAME and"
            " VINC_KEYCLOAK__ADMIN_PASSWORD, or VINC_KEYCLOAK__ADMIN_CLIENT_ID and VINC_KEYCLOAK__ADMIN_CLIENT_SECRET"
        )
        raise ValueError(message)

    @model_validator(mode="after")
    def refuse_attributes_that_mean_two_things(self) -> Self:
        names = list(self.attributes.values())
        if len(set(names)) < len(names) or {"username", "email", "firstName", "lastName"} & set(names):
            message = "the attributes for claims need names of their own: change one of VINC_KEYCLOAK_..._ATTRIBUTE"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def refuse_half_a_mail_server(self) -> Self:
        if self.smtp_host and not self.smtp_from:
            message = "VINC_KEYCLOAK__SMTP_FROM is missing: mails need a sender"
            raise ValueError(message)
        if (self.smtp_user is None) != (self.smtp_password is None):
            missing = "SMTP_USER" if self.smtp_user is None else "SMTP_PASSWORD"
            message = f"VINC_KEYCLOAK__{missing} is missing: user and password belong together"
            raise ValueError(message)
        return self
