"""A plugin whose contribution is no good: parts of a wrong type, and names that are not its own."""

from __future__ import annotations

import pytest

from .conftest import Judge, Workshop

HEAD = """
from fastapi import APIRouter
from sqlalchemy import Column, Integer, Table
from sqlalchemy.orm import Mapped, mapped_column
from vinc_kernel import *
from vinc_kernel import Contribution, hooks
"""
CONTRIBUTE = "\n@hooks.contribute\ndef contribute():\n    return "
MODEL = """
class Thing(Base):MARK
    __tablename__ = "bad_thing"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
ROUTER = """
router = APIRouter(prefix="/bad", dependencies=[GUARD])
@router.get("")
async def thing(): ...  # where
"""


@pytest.mark.parametrize(
    ("part", "value", "kind"),
    [
        ("routers", "[1]", "int"),
        ("models", "[int]", "class int"),
        ("models", "[Base]", "class Base"),
        ("capabilities", "['bad.read']", "str"),
        ("roles", "['boss']", "str"),
        ("provides", "[3]", "int"),
        ("commands", "['run']", "str"),
    ],
)
def test_a_part_of_a_wrong_type_is_refused(judge: Judge, part: str, value: str, kind: str) -> None:
    line = f"bad: contribute: {kind} is no part of {part} ({{here}}); see Contribution.{part}"
    judge(line, f"{HEAD}{CONTRIBUTE}Contribution({part}={value})  # here")


@pytest.mark.parametrize(
    ("made", "line"),
    [
        ("None", "contribute() returns NoneType ({# def}); return a Contribution"),
        ("Contribution(routers=APIRouter())  # here", "routers is no list but APIRouter ({here}); write a list"),
        ("Contribution(capabilities='bad.read')  # here", "capabilities is no list but str ({here}); write a list"),
        (
            "Contribution(settings=dict)  # here",
            "settings is no class of Settings ({here}); subclass vinc_kernel.Settings",
        ),
    ],
)
def test_what_is_no_contribution_is_refused(judge: Judge, made: str, line: str) -> None:
    code = HEAD + CONTRIBUTE.replace("@hooks.contribute", "@hooks.contribute  # def") + made
    judge(f"bad: contribute: {line}", code)


def test_contributing_twice_is_refused(judge: Judge) -> None:
    code = "from vinc_kernel import Contribution, hooks\n"
    code += "@hooks.contribute\ndef one():\n    return Contribution()\n"
    code += "@hooks.contribute  # here\ndef two():\n    return Contribution()\n"
    judge("bad: contribute: it contributes twice ({here}); keep one contribute()", code)


@pytest.mark.parametrize(
    ("before", "made", "line"),
    [
        (
            "CAN = Capability('good.read', title='Read')  # here",
            "Contribution(capabilities=[CAN])",
            "the capability 'good.read' is not this plugin's ({here}); begin its name with 'bad.'",
        ),
        (
            "CAN = Capability('bad.', title='Read')  # here",
            "Contribution(capabilities=[CAN])",
            "the capability 'bad.' is not this plugin's ({here}); begin its name with 'bad.'",
        ),
        (
            "CAN = Capability('bad.read', title='Read')\nAGAIN = Capability('bad.read', title='Again')  # here",
            "Contribution(capabilities=[AGAIN, CAN])",
            "the capability bad.read is twice its own, at {here-1} ({here}); rename one of them",
        ),
        (
            (
                "ONE = Role(name='boss', title='Boss', rank=1)\n"
                "TWO = Role(name='chief', title='Chief', rank=2, aliases=['boss'])  # here"
            ),
            "Contribution(roles=[TWO, ONE])",
            "the role boss is twice its own, at {here-1} ({here}); rename one of them",
        ),
        (
            "def run(): ...  # here",
            "Contribution(commands=[run, run])",
            "the command bad run is twice its own, at {here} ({here}); rename one of them",
        ),
        (
            "def run(*names: str): ...  # here",
            "Contribution(commands=[run])",
            "the command run takes *names, and an argument is one value ({here}); name each argument",
        ),
        (
            "class Other: ...",
            "Contribution(provides=[Other])  # here",
            "provides names Other ({here}); it may name TenantDirectory, PrincipalDirectory, MembershipDirectory",
        ),
        (
            MODEL.replace("MARK", "  # here"),
            "Contribution()",
            "the table 'bad_thing' is declared and not contributed ({here}); add its model to Contribution(models=...)",
        ),
        (
            "THING = Table('bad_thing', Base.metadata, Column('id', Integer, primary_key=True))",
            "Contribution()  # here",
            "the table 'bad_thing' is declared and not contributed ({here}); add its model to Contribution(models=...)",
        ),
        (
            ROUTER.replace("GUARD", "require_capabilities('bad.read')"),
            "Contribution(routers=[router])",
            (
                "/api/v1/bad works in a tenant, and no plugin provides a TenantDirectory ({here}); "
                "install and enable one that does, like vinc-tenants"
            ),
        ),
        (
            ROUTER.replace("GUARD", "require_roles('boss')"),
            "Contribution(routers=[router])",
            (
                "/api/v1/bad asks for the role 'boss', which nobody contributes ({here}); "
                "add it to Contribution(roles=...), or install its plugin"
            ),
        ),
        (
            ROUTER.replace("GUARD", "require_capabilities('bad.read')"),
            "Contribution(routers=[router], provides=[TenantDirectory])",
            (
                "/api/v1/bad asks for the capability 'bad.read', which nobody contributes ({here}); "
                "add it to Contribution(capabilities=...)"
            ),
        ),
    ],
)
def test_names_that_are_not_its_own_or_nobodys_are_refused(judge: Judge, before: str, made: str, line: str) -> None:
    code = HEAD + before.replace('@router.get("")', '@router.get("")  # here') + CONTRIBUTE + made
    judge(f"bad: check: {line}", code)


@pytest.mark.parametrize("table", ["good_thing", "badthing", "bad_", "other.bad_thing"])
def test_a_foreign_table_is_refused(judge: Judge, table: str) -> None:
    code = HEAD + MODEL.replace("MARK", "  # here").replace("bad_thing", table.rpartition(".")[2])
    code += "    __table_args__ = {'schema': 'other'}\n" if "." in table else ""
    judge(
        f"bad: check: the table {table!r} is not this plugin's ({{here}}); begin its name with 'bad_'",
        code + CONTRIBUTE + "Contribution(models=[Thing])",
    )


def test_a_table_without_a_key_leaves_nothing(judge: Judge) -> None:
    code = HEAD + 'class Thing(Base):  # here\n    __tablename__ = "bad_thing"\n    name: Mapped[str]\n'
    what = (
        "ArgumentError: Mapper Mapper[Thing(bad_thing)] could not assemble any primary key columns for mapped table "
        "'bad_thing'"
    )
    judge(f"bad: import: {what} ({{here}}); mend the plugin, or disable it with: vinc plugins disable bad", code)


def test_tables_of_a_plugin_that_contributes_nothing_are_told_with_their_line(judge: Judge) -> None:
    line = "the table 'bad_thing' is declared and not contributed ({here}); add its model to Contribution(models=...)"
    judge(f"bad: check: {line}", HEAD + MODEL.replace("MARK", "  # here"))


def test_a_table_declared_twice_is_refused(judge: Judge) -> None:
    code = HEAD + MODEL.replace("MARK", "") + MODEL.replace("MARK", "  # here").replace("Thing", "Again")
    judge("bad: import: the table 'bad_thing' is already its own ({here}); rename one of them", code)


@pytest.mark.parametrize("directory", ["PrincipalDirectory", "MembershipDirectory"])
def test_who_says_who_may_come_in_is_not_optional(workshop: Workshop, directory: str) -> None:
    workshop.plugin("lax", f"{HEAD}{CONTRIBUTE}Contribution(provides=[{directory}])", required=False)
    done = workshop.vinc("check")

    assert done.returncode == 1
    assert (
        f"vinc: lax: contribute: it provides the {directory}, and without it everybody would be let in" in done.stderr
    )
