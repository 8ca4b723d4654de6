"""The errors of the development issuer."""

from vinc_kernel import VincError


class Refused(VincError):
    """A command, or a call of another plugin, is refused."""


class FormRefused(VincError):
    """The request body is not a form that is accepted here."""


class TokenRefused(VincError):
    """The token request is refused for a reason of RFC 6749, 5.2. The message is the `error_description`.

    `page` is the `error_uri`. Neither tells whether the account exists.
    """

    def __init__(self, error: str, description: str, *, page: str = "") -> None:
        super().__init__(description)
        self.error, self.description, self.page = error, description, page
