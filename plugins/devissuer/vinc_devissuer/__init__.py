"""A development issuer: it stands in for a real identity provider, and never in production."""
