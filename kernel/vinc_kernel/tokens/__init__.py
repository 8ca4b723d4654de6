"""Verify access tokens: who signed them, and their claims; nothing here knows what a principal may do."""
