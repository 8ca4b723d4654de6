"""What the plugin does: ask Keycloak, keep the contract of identity providers, and set a realm up."""
