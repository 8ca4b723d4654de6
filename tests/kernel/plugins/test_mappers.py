"""Tables and mappers of several plugins in one process: one that fails takes its own along and nobody else's."""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import configure_mappers

from vinc_kernel.database.base import Base

if TYPE_CHECKING:
    from tests.kernel.plugins.conftest import Workshop

Judge = Callable[..., Awaitable[None]]
MEND = "mend the plugin, or disable it with: vinc plugins disable bad"
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
    return Contribution(models=[Thing_NAME])
"""


def with_models(workshop: Workshop, name: str, more: str = "", *, required: bool = True) -> None:
    workshop.plugin(name, PLUGIN, required=required, files={"models.py": MODELS + more})


def states(workshop: Workshop) -> dict[str, str]:
    return {name: one.state for name, one in workshop.app().runtime.registry.states.items()}


async def test_a_mapper_that_cannot_be_configured_puts_its_plugin_aside(judge: Judge) -> None:
    more = '    other: Mapped["Missing"] = relationship("Missing")\n'
    files = {"models.py": MODELS + more}
    what = (
        "InvalidRequestError: When initializing mapper Mapper[Thing_bad(bad_thing)], expression 'Missing' failed to "
        "locate a name ('Missing'). If this is a class name, consider adding this relationship() to the "
        "<class '{package}.models.Thing_bad'> class after both dependent classes have been defined."
    )
    await judge(f"bad: check: {what} ({{here}}); {MEND}", PLUGIN, files=files)


async def test_a_mapper_that_raises_is_told_with_the_line_that_raised(judge: Judge) -> None:
    more = '    other: Mapped["Missing"] = relationship(lambda: 1 / 0)  # raises\n'
    files = {"models.py": MODELS + more}
    line = f"bad: check: ZeroDivisionError: division by zero ({{# raises}}); {MEND}"
    await judge(line, PLUGIN, files=files)


async def test_a_mapper_that_hangs_is_given_up(judge: Judge) -> None:
    more = '    other: Mapped["Missing"] = relationship(lambda: [0 for _ in iter(int, 1)])\n'
    line = "bad: check: it takes longer than 0.5 s ({here}); "
    cure = "take the work out of the models, or raise VINC_PLUGIN_LOAD_TIMEOUT"
    environ = {"VINC_PLUGIN_LOAD_TIMEOUT": "0.5"}
    await judge(line + cure, PLUGIN, files={"models.py": MODELS + more}, environ=environ)


@pytest.mark.parametrize("bad", ["aaa", "zzz"])
def test_others_mappers_are_configured_whoever_fails(workshop: Workshop, bad: str) -> None:
    with_models(workshop, "mine")
    with_models(workshop, bad, '    other: Mapped["Missing"] = relationship()\n', required=False)
    with_models(workshop, "other", '    another: Mapped["Gone"] = relationship()\n', required=False)

    assert states(workshop) == {"mine": "ready", bad: "quarantined", "other": "quarantined"}
    configure_mappers()
    assert [name for name in Base.metadata.tables if name.endswith("_thing")] == ["mine_thing"]


@pytest.mark.parametrize("fails", [True, False])
def test_a_plugin_that_imports_anothers_models_takes_nothing_from_it(workshop: Workshop, fails: bool) -> None:
    workshop.plugin("aaa", f"import {workshop.package('mine')}.models\n" + "1 / 0" * fails, required=False)
    with_models(
        workshop, "mine", 'links = Table("mine_link", Base.metadata, Column("id", ForeignKey(Thing_mine.id)))\n'
    )
    plugin = workshop.folder / workshop.package("mine") / "plugin.py"
    plugin.write_text(plugin.read_text().replace("import Thing_mine", "import Thing_mine, links"))
    models = workshop.folder / workshop.package("mine") / "models.py"
    links = "class Link(Base):\n    __table__ = links\n    __mapper_args__ = {'primary_key': [links.c.id]}\n"
    models.write_text(models.read_text() + links)
    plugin.write_text(plugin.read_text().replace("import Thing_mine, links", "import Link, Thing_mine"))
    plugin.write_text(plugin.read_text().replace("[Thing_mine]", "[Thing_mine, Link]"))

    assert states(workshop) == {"aaa": "quarantined" if fails else "ready", "mine": "ready"}
    assert {"mine_thing", "mine_link"} <= set(Base.metadata.tables)
    assert inspect(sys.modules[f"{workshop.package('mine')}.models"].Thing_mine).configured


def test_a_plugin_that_fails_takes_along_what_another_had_imported_of_it(workshop: Workshop) -> None:
    workshop.plugin("aaa", f"import {workshop.package('mine')}.models")
    with_models(workshop, "mine", required=False)
    (workshop.folder / workshop.package("mine") / "plugin.py").write_text("1 / 0")

    assert states(workshop) == {"aaa": "ready", "mine": "quarantined"}
    assert "mine_thing" not in Base.metadata.tables


def test_a_table_of_a_name_that_a_quarantined_plugin_wanted_stays(workshop: Workshop) -> None:
    workshop.plugin("aaa", MODELS.replace("NAME_thing", "mine_thing"), required=False)
    with_models(workshop, "mine")

    assert states(workshop) == {"aaa": "quarantined", "mine": "ready"}
    assert "mine_thing" in Base.metadata.tables


def test_a_table_that_a_thread_declares_later_is_charged_to_the_plugin_of_the_thread(workshop: Workshop) -> None:
    late = """
import sys, threading
def declare():
    sys.late_table_wanted.wait(10)
    from sqlalchemy.orm import Mapped, mapped_column
    from vinc_kernel import Base
    type("Late", (Base,), {"__module__": __name__, "__tablename__": "aaa_late", "id": mapped_column(primary_key=True,
         type_=__import__("sqlalchemy").Integer)})
    sys.late_table_declared.set()
threading.Thread(target=declare, daemon=True).start()
1 / 0
"""
    wait = "import sys\nsys.late_table_wanted.set()\nassert sys.late_table_declared.wait(10)\n"
    events = {"late_table_wanted": threading.Event(), "late_table_declared": threading.Event()}
    workshop.plugin("aaa", late, required=False)
    workshop.plugin("mine", wait)
    with pytest.MonkeyPatch.context() as patch:
        for name, one in events.items():
            patch.setattr(sys, name, one, raising=False)
        assert states(workshop) == {"aaa": "quarantined", "mine": "ready"}

    assert "aaa_late" not in Base.metadata.tables
