"""The connections that all plugins share; one file each."""
