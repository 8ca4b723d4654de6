"""In whatever order plugins are found, the same application comes out."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vinc_kernel.manifest import read_manifest
from vinc_kernel.plugins.arrange import enabled, survey
from vinc_kernel.plugins.assemble import LoadOptions, load_plugins
from vinc_kernel.plugins.find import find
from vinc_kernel.registry import PluginState

from .conftest import Workshop

SHUFFLED = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
NEEDS = {"base": [], "left": ["base"], "right": ["base"], "top": ["left", "right"], "alone": [], "broken": ["alone"]}
ASKING = """
from fastapi import APIRouter
from vinc_kernel import Capability, Contribution, Role, TenantDirectory, hooks, require_capabilities, signed_in
router = APIRouter(prefix="/NAME", dependencies=[GUARD])
@router.get("")
async def answer() -> str:
    return "NAME"
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router], PARTS)
"""


def asking(guard: str, parts: str = "") -> str:
    return ASKING.replace("GUARD", guard).replace("PARTS", parts)


@SHUFFLED
@given(random=st.randoms(use_true_random=False))
def test_the_arrangement_does_not_depend_on_the_order_of_discovery(workshop: Workshop, random: Any) -> None:
    if not workshop.listed:
        for name, needs in NEEDS.items():
            requires = ["vinc-kernel", *(f"tiny-{one}" for one in needs), *(["nothing"] if name == "broken" else [])]
            workshop.plugin(name, required=name == "right", requires=requires)
        workshop.plugin("twin", required=False)
        workshop.plugin("twin", required=False, distribution="other-twin", package="tiny_other")
    found, manifest = find(), read_manifest(workshop.settings)
    shuffled = random.sample(found, len(found))

    assert [str(one) for one in survey(shuffled, manifest)] == [str(one) for one in survey(found, manifest)]
    names = [one.name for one in survey(shuffled, manifest)]
    assert all(names.index(need) < names.index(name) for name, needs in NEEDS.items() for need in needs)
    assert [one.name for one in survey(shuffled, manifest) if one.required and one.enabled] == ["base", "right"]


@SHUFFLED
@given(random=st.randoms(use_true_random=False))
def test_the_application_does_not_depend_on_the_order_of_plugins(workshop: Workshop, random: Any) -> None:
    """What none of them requires of another may be put together in any order."""
    if not workshop.listed:
        owner = "capabilities=[Capability('NAME.read', title='Read')]"
        directory = "provides=[TenantDirectory]"
        boss = "roles=[Role(name='boss', title='Boss', rank=1)]"
        workshop.plugin("a", asking("require_capabilities('b.read')"), required=False)
        workshop.plugin("b", asking("require_capabilities('c.read')", owner), required=False)
        workshop.plugin("c", asking("require_capabilities('nobody.read')", owner), required=False)
        workshop.plugin("d", asking("signed_in", directory), required=False)
        workshop.plugin("e", asking("signed_in", boss))
        workshop.plugin("f", asking("signed_in", boss), required=False)
        workshop.plugin("g", asking("signed_in", boss.replace("boss", "chief")), required=False)
        workshop.plugin("h", asking("signed_in", boss.replace("boss", "chief")), required=False)
    plugins = enabled(workshop.settings)
    options = LoadOptions(settings=workshop.settings, sources=workshop.sources)
    assembly = load_plugins(random.sample(plugins, len(plugins)), options)

    assert {one.plugin.name: state_of(one.state) for one in assembly.members} == {
        "a": "b.read",
        "b": "c.read",
        "c": "nobody.read",
        "d": "ready",
        "e": "ready",
        "f": "boss",
        "g": "chief",
        "h": "chief",
    }
    assert {each.path for one in assembly.ready for each in one.endpoints} == {"/api/v1/d", "/api/v1/e"}


def state_of(one: PluginState) -> str:
    """Ready, or the name over which the plugin is quarantined."""
    known = ("nobody.read", "b.read", "c.read", "boss", "chief")
    return one.state if one.state == "ready" else next(name for name in known if name in one.why)
