"""Make foreign text fit for one line of a log or a terminal."""

import re

# C0 and C1 controls, the separators that some readers take for the end of a line, and lone surrogates.
unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def escaped(text: str) -> str:
    r"""Return the text with its control characters written as `\x..`, so that one record stays one line."""
    return unprintable.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
