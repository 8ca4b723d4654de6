"""Read and change plugins.toml: which plugins run, and their settings.

`[plugins.NAME]` with the reserved keys `enabled`, `required`, `distribution` and `prefixes`; all other keys are the
plugin's own settings.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import lexists
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from .errors import ManifestError
from .settings import KernelSettings

DEFAULT = Path("plugins.toml")
RESERVED_KEYS = {"enabled": bool, "required": bool, "distribution": str, "prefixes": list}
WORDS = {bool: "true or false", str: "a text", list: "a list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What plugins.toml holds for one plugin."""

    name: str
    where: str
    enabled: bool = True
    required: bool = True
    distribution: str | None = None
    prefixes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All entries by name; `path` is None when there is no file and every installed plugin runs."""

    path: Path | None
    entries: Mapping[str, Entry] = field(default_factory=dict)


def read_manifest(settings: KernelSettings) -> Manifest:
    """Return the manifest from VINC_PLUGINS_FILE, else ./plugins.toml; raises ManifestError with file and key."""
    path = settings.plugins.file or DEFAULT
    if not lexists(path):  # a directory, or a link to nothing, is there and refused
        if settings.plugins.file is None and settings.service.env != "prod":
            return Manifest(path=None)
        cure = "list the plugins that run in it, or name another file with VINC_PLUGINS_FILE"
        raise ManifestError("there is no such file", where=str(path), cure=cure)
    tables = plugin_tables(parse(path), path)
    return Manifest(path=path, entries={name: entry(name, table, path) for name, table in tables.items()})


def parse(path: Path) -> Mapping[str, Any]:
    """Return the content of the file; a FIFO is refused, as reading it would wait for a writer."""
    where = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ManifestError("is no file", where=where, cure="make it one, or take it away")
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"is no TOML: {error}", where=where, cure="mend that line") from None
    except (OSError, UnicodeDecodeError) as error:
        what = f"cannot be read: {type(error).__name__}"
        raise ManifestError(what, where=where, cure="make it a readable UTF-8 file") from None
    except RecursionError:
        raise ManifestError("is nested too deeply", where=where, cure="take some brackets away") from None
    except ValueError:  # Python reads no number of thousands of digits
        raise ManifestError("holds a number with too many digits", where=where, cure="write it as a text") from None


def plugin_tables(document: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for key in document:
        if key != "plugins":
            raise ManifestError(f"unknown key {key!r}", where=str(path), cure="the only table here is [plugins.NAME]")
    tables = document.get("plugins", {})
    for name, table in tables.items() if isinstance(tables, dict) else [("plugins", None)]:
        if not isinstance(table, dict):
            raise ManifestError(f"{name!r} is not a table", where=str(path), cure="write [plugins.NAME]")
    return dict(tables)


def entry(name: str, table: Mapping[str, Any], path: Path) -> Entry:
    where = f"{path} [plugins.{name}]"
    known = {key: value for key, value in table.items() if key in RESERVED_KEYS}
    for key, value in known.items():
        wanted = RESERVED_KEYS[key]
        if not isinstance(value, wanted):
            raise ManifestError(f"{key} must be {WORDS[wanted]}", where=where, cure="mend the value")
    prefixes = known.pop("prefixes", [])
    for prefix in prefixes:
        if not isinstance(prefix, str) or not is_prefix(prefix):
            what = "prefixes must be paths like /partners or /users/{user_id}/notes"
            raise ManifestError(what, where=where, cure="mend the list")
    own = {key: value for key, value in table.items() if key not in RESERVED_KEYS}
    return Entry(name=name, where=where, prefixes=tuple(prefixes), settings=own, **known)


is_prefix = re.compile(r"/[^/{}\s?#]+(/([^/{}\s?#]+|{[A-Za-z_][A-Za-z0-9_]*}))*").fullmatch


def write_enabled(manifest: Manifest, name: str, *, enabled: bool) -> Path:
    """Set `enabled` of one plugin, with comments and order kept, and return the file; raises ManifestError."""
    path = (manifest.path or DEFAULT).resolve()  # a link stays one
    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.is_file() else tomlkit.document()
        tables = document.setdefault("plugins", tomlkit.table(is_super_table=True))
        tables.setdefault(name, tomlkit.table())["enabled"] = enabled
        fresh = path.with_name(path.name + ".new")
        fresh.touch(mode=path.stat().st_mode & 0o777 if path.exists() else 0o600)  # secrets may be in it
        fresh.write_text(tomlkit.dumps(document), "utf-8")
        fresh.replace(path)
    except OSError as error:
        what = f"cannot be changed: {type(error).__name__}"
        raise ManifestError(what, where=str(path), cure="make file and folder writable") from None
    except (TOMLKitError, RecursionError, ValueError):  # tomlkit reads less than tomllib
        raise ManifestError("cannot be changed by a program", where=str(path), cure="change it by hand") from None
    return path
