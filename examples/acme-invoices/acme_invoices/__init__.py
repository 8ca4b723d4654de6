"""What a tenant bills its customers."""
