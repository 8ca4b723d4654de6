"""What lies between the request and PostgreSQL; one file each."""
