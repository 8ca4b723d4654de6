"""A plugin that its metadata or plugins.toml already show to be wrong: it is refused before anything is imported."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Judge, Workshop

NEVER = "raise SystemExit('it was imported')"
AT = "(tiny-bad 1.0)"


@pytest.mark.parametrize(
    ("requires", "line"),
    [
        ([], "it does not say which vinc-kernel it needs {at}; require vinc-kernel in its pyproject.toml"),
        (
            ["vinc-kernel>=9"],
            "it needs vinc-kernel>=9, and 0.1.0 is installed {at}; pip install 'vinc-kernel>=9'",
        ),
        (
            ["vinc-kernel", "nothing-of-that-name>=2"],
            "it needs nothing-of-that-name>=2, and nothing is installed {at}; pip install 'nothing-of-that-name>=2'",
        ),
        (
            ["vinc-kernel", "tiny-good>=2"],
            "it needs tiny-good>=2, and 1.0 is installed {at}; pip install 'tiny-good>=2'",
        ),
        *(
            (["vinc-kernel", requirement], f"its metadata is not valid: {requirement!r} {{at}}; build it again")
            for requirement in ("== nonsense", 'foo; os_name ~= "abc"', 'foo; nothing_known == "x"')
        ),
    ],
)
def test_requirements_that_do_not_hold_are_refused(judge: Judge, requires: list[str], line: str) -> None:
    judge("bad: find: " + line.replace("{at}", AT), NEVER, requires=requires)


@pytest.mark.parametrize(
    "more",
    [
        {"requires": ["vinc-kernel", "nothing; sys_platform == 'plan9'", "more; extra == 'all'"]},
        {"toml": "distribution = 'Tiny_Good'"},
    ],
    ids=["another platform's requirement", "a pin that is spelt otherwise"],
)
def test_what_does_not_count_is_no_error(workshop: Workshop, more: dict[str, Any]) -> None:
    workshop.plugin("good", **more)

    assert workshop.states()["good"].state == "ready"


def test_a_distribution_pin_that_does_not_match_is_refused(judge: Judge) -> None:
    line = f"bad: find: {{toml}} says that it comes from acme-bad {AT}; install that one, or correct `distribution`"
    judge(line, NEVER, toml="distribution = 'acme-bad'")


@pytest.mark.parametrize("required", [True, False])
def test_two_distributions_of_one_name_are_both_refused(workshop: Workshop, required: bool) -> None:
    workshop.plugin("bad", NEVER, required=required)
    workshop.plugin("bad", NEVER, required=required, distribution="other-bad", package="tiny_other")
    line = "bad: find: other-bad and tiny-bad both claim the name 'bad' (other-bad 1.0); uninstall one of them"

    assert refusal(workshop, "bad", required=required) == line


def test_what_needs_either_of_two_twins_is_refused_too(workshop: Workshop) -> None:
    workshop.plugin("bad", NEVER, required=False)
    workshop.plugin("bad", NEVER, required=False, distribution="other-bad", package="tiny_other")
    workshop.plugin("one", required=False, requires=["vinc-kernel", "tiny-bad"])
    workshop.plugin("two", required=False, requires=["vinc-kernel", "other-bad"])
    states = workshop.states()

    assert {name: one.state for name, one in states.items()} == dict.fromkeys(["bad", "one", "two"], "quarantined")


@pytest.mark.parametrize("required", [True, False])
def test_a_distribution_with_two_plugins_is_refused(workshop: Workshop, required: bool) -> None:
    at = workshop.plugin("bad", NEVER, required=required)
    points = f"[vinc.plugins]\nbad = {at.parent.name}.plugin\nworse = {at.parent.name}.plugin\n"
    (workshop.folder / "tiny_bad-1.0.dist-info" / "entry_points.txt").write_text(points)
    line = f"bad: find: its distribution has 2 plugins: bad, worse {AT}; make a distribution of each"

    assert refusal(workshop, "bad", required=required) == line


RESERVED = "the name '{name}' is reserved for the kernel"
MALFORMED = "the name is not of the form [a-z][a-z0-9]*"


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        *((name, RESERVED) for name in ("serve", "plugins", "check", "db", "settings", "kernel", "jwt")),
        *((name, MALFORMED) for name in ("Bad", "bad_one", "bad-one", "9bad", "bäd")),
    ],
)
def test_a_reserved_or_malformed_name_is_refused(workshop: Workshop, name: str, what: str, required: bool) -> None:
    workshop.plugin(name, NEVER, required=required, distribution="tiny-bad")
    workshop.write(f'[plugins."{name}"]\nrequired = {str(required).lower()}')
    line = f"{name}: find: {what.replace('{name}', name)} {AT}; rename the entry point"

    assert refusal(workshop, name, required=required) == line


def test_an_entry_point_that_names_no_module_is_refused(judge: Judge) -> None:
    what = "its entry point is '{package}.plugin:plugin', which is no module"
    judge(f"bad: find: {what} {AT}; name the module <package>.plugin", NEVER, points="{package}.plugin:plugin")


@pytest.mark.parametrize("required", [True, False])
def test_a_needed_plugin_that_is_not_enabled_is_named(workshop: Workshop, required: bool) -> None:
    workshop.plugin("base", toml="enabled = false")
    workshop.plugin("bad", NEVER, required=required, requires=["vinc-kernel", "tiny-base"])
    line = f"bad: order: it needs 'base', which is not enabled {AT}; vinc plugins enable base, or disable bad"

    assert refusal(workshop, "bad", required=required) == line


@pytest.mark.parametrize("required", [True, False])
def test_a_cycle_is_told_as_its_path(workshop: Workshop, required: bool) -> None:
    for name, needs in {"one": "two", "two": "three", "three": "one"}.items():
        workshop.plugin(name, NEVER, required=required, requires=["vinc-kernel", f"tiny-{needs}"])
    path = "its requirements go in a circle: one > two > three > one (tiny-three 1.0); take one requirement out"

    assert refusal(workshop, "three", required=required) == f"three: order: {path}"


@pytest.mark.parametrize(
    ("one", "two", "refused"),
    [(True, True, "stop"), (False, False, {"one", "two"}), (True, False, {"two"}), (False, True, {"one"})],
)
def test_granted_prefixes_that_overlap_are_refused(workshop: Workshop, one: bool, two: bool, refused: object) -> None:
    workshop.plugin("one", required=one, toml="prefixes = ['/partners/{id}/notes']")
    workshop.plugin("two", required=two, toml="prefixes = ['/partners/{partner}/notes']")
    if refused == "stop":
        what = "the prefix '/partners/{partner}/notes' overlaps with what belongs to 'one' (tiny-two 1.0); "
        assert f"two: order: {what}" in "".join(workshop.errors())
        return
    states = workshop.states()

    assert {name for name, state in states.items() if state.state == "quarantined"} == refused


@pytest.mark.parametrize("prefix", ["/good", "/docs", "/docs/more", "/openapi.json"])
def test_a_prefix_that_belongs_to_somebody_is_refused(judge: Judge, prefix: str) -> None:
    owner = "good" if "good" in prefix else "the kernel"
    line = (
        f"bad: order: the prefix {prefix!r} overlaps with what belongs to {owner!r} {AT}; give each a prefix of its own"
    )
    judge(line, NEVER, toml=f"prefixes = ['{prefix}']")


def test_dependents_of_a_quarantined_plugin_are_quarantined_too(workshop: Workshop) -> None:
    workshop.plugin("base", "raise ValueError", required=False)
    workshop.plugin("middle", required=False, requires=["vinc-kernel", "tiny-base"])
    workshop.plugin("top", required=False, requires=["vinc-kernel", "tiny-middle"])
    workshop.plugin("other", required=False)
    states = workshop.states()

    assert [name for name, one in states.items() if one.is_ready] == ["other"]
    assert states["top"].why == (
        "top: order: it needs 'middle', which cannot run (tiny-top 1.0); see the line about middle"
    )


def test_what_a_required_plugin_needs_is_required(workshop: Workshop) -> None:
    workshop.plugin("base", "raise ValueError  # here", required=False)
    workshop.plugin("top", requires=["vinc-kernel", "tiny-base"])
    first, second = workshop.errors()

    assert first.startswith(f"base: import: ValueError ({workshop.here('base')})")
    assert second.startswith("top: order: it needs 'base', which cannot run")


def test_an_installed_plugin_that_is_not_listed_does_not_run(workshop: Workshop) -> None:
    workshop.plugin("good")
    workshop.plugin("silent", NEVER)
    del workshop.listed["silent"]
    workshop.list("good", "")

    assert list(workshop.states()) == ["good"]


def refusal(workshop: Workshop, name: str, *, required: bool) -> str:
    """The line about a plugin: with which it stops the start, or for which it is quarantined."""
    if required:
        return next(line for line in workshop.errors() if line.startswith(f"{name}:"))
    return workshop.states()[name].why


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        (
            "entry_points.txt",
            b"[vinc.plugins]\nbad = tiny.plugin\n[other]\nx\xff = y",
            "entry_points.txt is not UTF-8 (tiny-bad 1.0)",
        ),
        ("entry_points.txt", b"[vinc.plugins]\nbad\n", "entry_points.txt has the line 'bad' (tiny-bad 1.0)"),
        ("METADATA", b"Name: tiny-bad\nVersion: \xff", "METADATA cannot be read (UnicodeDecodeError) (unknown 0)"),
        ("METADATA", None, "it has no Name; it has no Version (unknown 0)"),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_distribution_that_cannot_be_read_hides_no_other(
    workshop: Workshop, file: str, content: bytes | None, line: str, listed: bool
) -> None:
    workshop.plugin("bad", NEVER, required=False)
    workshop.plugin("good")
    at = workshop.folder / "tiny_bad-1.0.dist-info" / file
    at.unlink() if content is None else at.write_bytes(content)
    if not listed:
        del workshop.listed["bad"]
        workshop.list("good", "")
    # Pydantic looks for plugins of its own while it is imported, and fails itself at an entry_points.txt like these.
    workshop.environ["PYDANTIC_DISABLE_PLUGINS"] = "1"
    done = workshop.vinc("plugins")
    states = workshop.states()

    assert (done.returncode, done.stderr) == (0, "")
    assert states["good"].state == "ready"
    assert [states[name].why for name in states if name == "bad"] == [
        f"bad: find: its metadata is not valid: {line}; build it again"
    ] * listed


def test_a_broken_line_of_another_group_is_nobodys_fault(workshop: Workshop) -> None:
    workshop.plugin("good")
    points = workshop.folder / "tiny_good-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text() + "[console_scripts]\nnonsense\n")

    assert workshop.states()["good"].state == "ready"
