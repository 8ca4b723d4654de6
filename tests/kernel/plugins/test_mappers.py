"""Tables and mappers of several plugins in one process: whose they are, and whose failure it is."""

from __future__ import annotations

import sys

from sqlalchemy import inspect

from vinc_kernel.database.base import Base

from .conftest import MEND, Judge, Workshop

MODELS = """
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import Mapped, mapped_column, relationship
from vinc_kernel import Base
class Thing_NAME(Base):  # here
    __tablename__ = "NAME_thing"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
PLUGIN = """
from vinc_kernel import Contribution, hooks
@hooks.contribute
def contribute():
    from .models import Thing_NAME
    return Contribution(models=[Thing_NAME])  # made
"""


def with_models(workshop: Workshop, name: str, more: str = "", *, required: bool = True) -> None:
    workshop.plugin(name, PLUGIN, required=required, files={"models.py": MODELS + more})


def states(workshop: Workshop) -> dict[str, str]:
    return {name: one.state for name, one in workshop.states().items()}


def test_a_mapper_that_cannot_be_configured_is_refused(judge: Judge) -> None:
    more = '    other: Mapped["Missing"] = relationship("Missing")\n'
    files = {"models.py": MODELS + more}
    what = (
        "InvalidRequestError: When initializing mapper Mapper[Thing_bad(bad_thing)], expression 'Missing' failed to "
        "locate a name ('Missing'). If this is a class name, consider adding this relationship() to the "
        "<class '{package}.models.Thing_bad'> class after both dependent classes have been defined."
    )
    judge(f"bad: check: {what} ({{# made}}); {MEND}", PLUGIN, files=files)


def test_a_mapper_that_hangs_is_given_up(workshop: Workshop) -> None:
    """In a process of its own: the thread that hangs holds SQLAlchemy's lock."""
    with_models(
        workshop, "bad", '    other: Mapped["Missing"] = relationship(lambda: [0 for _ in iter(int, 1)])  # hangs\n'
    )
    workshop.environ["VINC_PLUGIN_LOAD_TIMEOUT"] = "1"
    done = workshop.vinc("check")
    cure = "move the work into a lifespan hook, or raise VINC_PLUGIN_LOAD_TIMEOUT"

    assert done.stderr == f"vinc: bad: check: it takes longer than 1 s ({workshop.here('bad', '# hangs')}); {cure}\n"


def test_after_a_mapper_that_fails_no_other_plugin_is_blamed(workshop: Workshop) -> None:
    with_models(workshop, "mine", '    other: Mapped["Missing"] = relationship()\n')
    with_models(workshop, "other")
    (line,) = workshop.errors()

    assert line.startswith("mine: check: InvalidRequestError: ")


LINKS = """
links = Table("NAME_link", Base.metadata, Column("id", ForeignKey(Thing_NAME.id)))
class Link(Base):
    __table__ = links
    __mapper_args__ = {"primary_key": [links.c.id]}
"""


def test_a_plugin_that_imports_anothers_models_takes_nothing_from_it(workshop: Workshop) -> None:
    workshop.plugin("aaa", f"import {workshop.package('mine')}.models\n")
    code = PLUGIN.replace("import Thing_NAME", "import Link, Thing_NAME").replace("[Thing_NAME]", "[Thing_NAME, Link]")
    workshop.plugin("mine", code, files={"models.py": MODELS + LINKS})

    assert states(workshop) == {"aaa": "ready", "mine": "ready"}
    assert {"mine_thing", "mine_link"} <= set(Base.metadata.tables)
    assert inspect(sys.modules[f"{workshop.package('mine')}.models"].Thing_mine).configured


def test_a_table_of_a_name_that_a_quarantined_plugin_wanted_stays(workshop: Workshop) -> None:
    workshop.plugin("aaa", MODELS.replace("NAME_thing", "mine_thing"), required=False)
    with_models(workshop, "mine")

    assert states(workshop) == {"aaa": "quarantined", "mine": "ready"}
    assert "mine_thing" in Base.metadata.tables


TIMES = """
from datetime import datetime
class When_NAME(Base):  # times
    __tablename__ = "NAME_when"
    id: Mapped[int] = mapped_column(primary_key=True)
    made: Mapped[datetime]
    gone: Mapped[datetime | None]
"""


def test_a_time_without_more_has_its_time_zone(workshop: Workshop) -> None:
    plugin = PLUGIN.replace("models=[Thing_NAME]", "models=[Thing_NAME, When_NAME]")
    plugin = plugin.replace("import Thing_NAME", "import Thing_NAME, When_NAME")
    workshop.plugin("things", plugin, files={"models.py": MODELS + TIMES})

    assert states(workshop) == {"things": "ready"}
    types = {column.name: column.type for column in Base.metadata.tables["things_when"].columns}
    assert types["made"].timezone is types["gone"].timezone is True  # type: ignore[attr-defined]  # of DateTime
