"""Call Keycloak, implement the identity provider, and set up a realm."""
