"""The rules of principals, one subject a file."""
