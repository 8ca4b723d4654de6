"""`./dev bench`: what Vinc costs beside bare FastAPI, measured side by side in one run."""
