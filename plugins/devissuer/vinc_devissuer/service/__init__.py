"""The rules of the development issuer, one subject a file."""
