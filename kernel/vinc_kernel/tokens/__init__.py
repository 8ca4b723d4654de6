"""Verify access tokens: whose they are, and what they say; nothing here knows what a principal may do."""
