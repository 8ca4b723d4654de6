"""What `./dev` runs; it is for developers of this repository and no part of what is installed."""
