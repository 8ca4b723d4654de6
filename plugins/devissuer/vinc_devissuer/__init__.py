"""A development issuer: an identity provider for development and tests, never for production."""
