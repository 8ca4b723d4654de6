"""What goes wrong with the development issuer, and how it is answered."""

from vinc_kernel import VincError


class Refused(VincError):
    """A command, or what another plugin asks, is refused."""


class FormRefused(VincError):
    """The body is no form that is taken here."""


class TokenRefused(VincError):
    """No token is given, for one of the reasons of RFC 6749, 5.2. The text is the `error_description`.

    `page` is where a person can read on, the `error_uri`. Nothing here says whether there is such an account.
    """

    def __init__(self, error: str, description: str, *, page: str = "") -> None:
        super().__init__(description)
        self.error, self.description, self.page = error, description, page
