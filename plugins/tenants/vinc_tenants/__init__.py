"""The companies that own data."""
