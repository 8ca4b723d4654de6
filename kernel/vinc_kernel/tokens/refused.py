"""Why a token is not believed: for the log alone, since whoever sent it learns nothing but that."""


class TokenRefused(Exception):
    """The token is not believed. The text is ours, with nothing of the token in it but names of claims."""
