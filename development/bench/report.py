"""What was measured, in a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from .compare import Outcome


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. `is_met` is None for one that has no target and stands beside the others; `below` is more text."""

    what: str
    figure: str
    target: str = ""
    is_met: bool | None = None
    remark: str = ""
    below: str = ""


def ratio(what: str, found: Outcome, target: float | None = None) -> Line:
    """The ratio of requests/s, and in brackets that of the CPU a request, which decides."""
    figure = f"{found.requests:.2f} ({found.cpu:.2f})"
    remark = f"{found.ours:,.0f}/s to {found.theirs:,.0f}/s; {found.ours_us:.0f} to {found.theirs_us:.0f} µs of CPU"
    if target is None:
        return Line(what, figure, remark=remark)
    return Line(what, figure, f">= {target:g}", round(found.cpu, 2) >= target, remark)


def at_most(what: str, figure: float, limit: float | None, unit: str, remark: str = "") -> Line:
    shown = f"{figure:.2f} {unit}"
    if limit is None:
        return Line(what, shown, remark=remark)
    return Line(what, shown, f"<= {limit:g} {unit}", figure <= limit, remark)


def table(lines: Sequence[Line]) -> str:
    rows = [("what", "ratio req/s (CPU)", "target", "", ""), *(cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def cells(line: Line) -> tuple[str, ...]:
    verdict = {None: "", True: "ok", False: "MISSED"}[line.is_met]
    return line.what, line.figure, line.target, verdict, line.remark
