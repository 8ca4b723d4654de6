"""plugins.toml: what it says wrongly is told with file and key; `vinc plugins enable|disable` change it with care."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from vinc_kernel.commands.plugins import refuse_unsafe
from vinc_kernel.errors import ManifestError, VincError
from vinc_kernel.manifest import read_manifest

from .conftest import Workshop

WITH_COMMENTS = """# what runs here
[plugins.good]
required = true  # everything hangs on it

# the second
[plugins.second]
enabled = true  # for now
"""


@pytest.mark.parametrize(
    ("manifest", "line"),
    [
        (
            "[plugins.good",
            "{file}: is no TOML: Expected ']' at the end of a table declaration (at end of document); mend that line",
        ),
        ("plugin = 1", "{file}: unknown key 'plugin'; the only table here is [plugins.NAME]"),
        ("[plugins]\ngood = true", "{file}: 'good' is not a table; write [plugins.NAME]"),
        ("plugins = 3", "{file}: 'plugins' is not a table; write [plugins.NAME]"),
        ("[plugins.good]\nenabled = 'yes'", "{file} [plugins.good]: enabled must be true or false; mend the value"),
        ("[plugins.good]\nrequired = 1", "{file} [plugins.good]: required must be true or false; mend the value"),
        ("[plugins.good]\ndistribution = 1", "{file} [plugins.good]: distribution must be a text; mend the value"),
        ("[plugins.good]\nprefixes = '/x'", "{file} [plugins.good]: prefixes must be a list; mend the value"),
        *(
            (
                f"[plugins.good]\nprefixes = [{prefix}]",
                "{file} [plugins.good]: prefixes must be paths like /partners or /users/{user_id}/notes; mend the list",
            )
            for prefix in ("1", "'x'", "'/'", "'/a//b'", "'/{a}/b'", "'/a/{b:path}'", "'/a/v{b}'", "'/a/{}'")
        ),
        ("[plugins.god]", "god: find: there is no such plugin installed ({file} [plugins.god]); did you mean 'good'?"),
        (
            "[plugins.xyz]\nrequired = false",
            "xyz: find: there is no such plugin installed ({file} [plugins.xyz]); install it",
        ),
        ("a = " + "[" * 20_000, "{file}: is nested too deeply; take some brackets away"),
        (
            f"[plugins.good]\na = {'1' * 5000}",
            "{file}: holds a number with too many digits; write it as a text",
        ),
        ("\udcff", "{file}: cannot be read: UnicodeDecodeError; make it a readable UTF-8 file"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line(workshop: Workshop, manifest: str, line: str) -> None:
    workshop.plugin("good")
    workshop.manifest.write_bytes(manifest.encode("utf-8", "surrogateescape"))

    assert workshop.errors() == [line.replace("{file}", str(workshop.manifest))]


def test_all_plugins_that_are_not_there_are_told_at_once(workshop: Workshop) -> None:
    workshop.write("[plugins.one]\n[plugins.two]\n[plugins.three]\nenabled = false\n")

    assert [line.partition(":")[0] for line in workshop.errors()] == ["one", "two"]


def test_a_named_file_that_is_not_there_is_told(workshop: Workshop) -> None:
    cure = "list the plugins that run in it, or name another file with VINC_PLUGINS_FILE"

    assert workshop.errors() == [f"{workshop.manifest}: there is no such file; {cure}"]


@pytest.mark.parametrize("named", ["", "plugins.toml"], ids=["here", "named"])
@pytest.mark.parametrize("kind", ["directory", "fifo", "loop", "dangling"])
def test_what_has_the_name_and_is_no_file_is_told(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, kind: str, named: str
) -> None:
    monkeypatch.chdir(workshop.folder)
    workshop.environ["VINC_PLUGINS_FILE"] = named
    made: dict[str, Callable[[], object]] = {
        "directory": workshop.manifest.mkdir,
        "fifo": lambda: os.mkfifo(workshop.manifest),
        "loop": lambda: workshop.manifest.symlink_to(workshop.manifest),
        "dangling": lambda: workshop.manifest.symlink_to(workshop.folder / "nothing"),
    }
    absent = read_manifest(workshop.settings) if not named else None
    made[kind]()
    with pytest.raises(ManifestError, match=r"^plugins\.toml: (is no file; make it one|cannot be read: )"):
        read_manifest(workshop.settings)

    assert named or (absent and absent.path is None)


def test_enable_and_disable_keep_every_comment(workshop: Workshop) -> None:
    workshop.plugin("good")
    workshop.plugin("second")
    workshop.write(WITH_COMMENTS)
    disabled = workshop.vinc("plugins", "disable", "second")

    assert (disabled.returncode, disabled.stderr) == (0, "")
    assert disabled.stdout == f"second is disabled in {workshop.manifest}; it counts from the next start\n"
    assert workshop.manifest.read_text() == WITH_COMMENTS.replace("enabled = true  # for", "enabled = false  # for")
    assert workshop.vinc("plugins", "enable", "second").returncode == 0
    assert workshop.manifest.read_text() == WITH_COMMENTS


def test_enable_lists_a_plugin_that_was_not_listed(workshop: Workshop) -> None:
    workshop.plugin("good")
    workshop.plugin("second")
    workshop.write("# first\n[plugins.good]\n")

    assert workshop.vinc("plugins", "enable", "second").returncode == 0
    assert workshop.manifest.read_text() == "# first\n[plugins.good]\n\n[plugins.second]\nenabled = true\n"
    assert list(workshop.states()) == ["good", "second"]


def test_a_changed_file_stays_as_private_as_it_was_and_where_it_was(workshop: Workshop) -> None:
    workshop.plugin("good")
    real = workshop.folder / "real.toml"
    workshop.manifest.rename(real)
    workshop.manifest.symlink_to(real)
    real.chmod(0o600)

    assert workshop.vinc("plugins", "disable", "good").returncode == 0
    assert workshop.manifest.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert "enabled = false" in real.read_text()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("disable", "base"), "middle, top would be left without base: disable middle first"),
        (("disable", "middle"), "top would be left without middle: disable top first"),
        (("enable", "lonely"), "lonely needs off: enable that first"),
        (("enable", "nobody"), "there is no plugin 'nobody' installed; vinc plugins lists them"),
        (("disable", "nobody"), "there is no plugin 'nobody'; vinc plugins lists them"),
        (
            ("enable", "old"),
            ("old: find: it needs vinc-kernel>=9, and 0.1.0 is installed (tiny-old 1.0); pip install 'vinc-kernel>=9'"),
        ),
    ],
)
def test_a_change_that_would_break_what_runs_is_refused(
    workshop: Workshop, arguments: tuple[str, str], line: str
) -> None:
    workshop.plugin("base")
    workshop.plugin("middle", requires=["vinc-kernel", "tiny-base"])
    workshop.plugin("top", requires=["vinc-kernel", "tiny-middle"])
    workshop.plugin("off", toml="enabled = false")
    workshop.plugin("lonely", toml="enabled = false", requires=["vinc-kernel", "tiny-off"])
    workshop.plugin("old", toml="enabled = false", requires=["vinc-kernel>=9"])
    action, name = arguments
    with pytest.raises(VincError) as refused:
        refuse_unsafe(name, read_manifest(workshop.settings), enabled=action == "enable")

    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("", "top would be left without base: disable top first"),
        (f"a = {'[' * 150}{']' * 150}", "{file}: cannot be changed by a program; change it by hand"),
    ],
    ids=["what it would break", "what only a person can change"],
)
def test_a_refused_change_leaves_the_file_alone(workshop: Workshop, toml: str, line: str) -> None:
    workshop.plugin("base")
    workshop.plugin("top", requires=["vinc-kernel", "tiny-base"], toml=toml)
    before = workshop.manifest.read_text()
    done = workshop.vinc("plugins", "disable", "top" if toml else "base")

    assert (done.returncode, done.stderr) == (1, f"vinc: {line.replace('{file}', str(workshop.manifest))}\n")
    assert workshop.manifest.read_text() == before


def test_a_plugin_that_is_not_installed_any_more_can_be_disabled(workshop: Workshop) -> None:
    workshop.write("[plugins.gone]\n")

    assert workshop.vinc("plugins", "disable", "gone").returncode == 0
    assert workshop.vinc("plugins").returncode == 0
