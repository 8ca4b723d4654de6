"""What a plugin may import; docs/plugins.md explains each name. The rest of this package may change any day."""
