"""Real servers for development and tests, from Python packages: PostgreSQL and Valkey, on a socket and nowhere else."""
