"""Identity: what is remembered of principals, the roles, and the ending of sessions."""
