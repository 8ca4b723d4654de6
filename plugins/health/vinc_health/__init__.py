"""Liveness and readiness of a Vinc installation."""
