"""The commands of `vinc`; one file each. Each imports what it needs when it runs, so that the others start at once."""
