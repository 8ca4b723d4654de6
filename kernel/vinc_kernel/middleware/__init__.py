"""The front and its steps; one file each, each doing one thing. Only the front wraps `send`."""
