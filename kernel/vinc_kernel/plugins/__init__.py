"""From installed distributions to running plugins: find, arrange, load, collect, check, assemble; one file each."""
