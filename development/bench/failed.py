"""The one base of what goes wrong here, so that it is told in one line."""


class BenchFailed(Exception):
    """Nothing could be measured."""
