"""The rules of principals, one matter a file."""
