"""The commands that this distribution adds to `vinc`; one file each."""
