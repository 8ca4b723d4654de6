"""Keycloak as the identity provider."""
