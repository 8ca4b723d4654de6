"""`vinc plugins`: which plugins are installed and which run; enable and disable them in plugins.toml."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from ..errors import ManifestError, VincError
from ..manifest import Manifest, read_manifest, write_enabled
from ..plugins.arrange import Plugin, dependents, survey, unknown
from ..plugins.find import find
from ..settings import KernelSettings, Sources
from .command import REFUSED, Commands, complain, print_table, say, say_whole


def add(commands: Commands) -> Commands:
    made = commands.add_parser("plugins", help="list the plugins; enable or disable one")
    made.add_argument("--json", action="store_true", help="for programs")
    made.add_argument("--loaded", action="store_true", help="load them in a process of their own, and add what they do")
    made.set_defaults(run=show)
    actions = made.add_subparsers(metavar="ACTION")
    for action, enabled in (("enable", True), ("disable", False)):
        one = actions.add_parser(action, help=f"{action} a plugin in plugins.toml")
        one.add_argument("name", help="the plugin's name")
        one.set_defaults(run=switch, enabled=enabled)
    return actions


def show(args: Namespace, settings: KernelSettings, sources: Sources) -> int:
    manifest, found = read_manifest(settings), find()
    plugins, errors = survey(found, manifest), unknown(found, manifest)
    rows = [described(plugin) for plugin in plugins]
    if args.loaded and not errors:
        more = loaded([plugin for plugin in plugins if plugin.enabled], settings, sources)
        rows = [row | more.get(row["name"], {}) for row in rows]
    if args.json:
        say_whole(json.dumps(rows, indent=2))
    else:
        headings = ["NAME", "VERSION", "DISTRIBUTION", "ENABLED", *(["STATE", "ADDS"] if args.loaded else []), "WHY"]
        print_table([headings, *(cells(row, loaded=args.loaded) for row in rows)])
    for error in errors:
        complain(str(error))
    return REFUSED if errors else 0


def described(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "version": plugin.version,
        "distribution": plugin.distribution,
        "enabled": plugin.enabled,
        "required": plugin.required,
        "why": str(plugin.fault) if plugin.enabled and plugin.fault else plugin.why,
    }


def cells(row: dict[str, Any], *, loaded: bool) -> list[str]:
    enabled = ("required" if row["required"] else "optional") if row["enabled"] else "no"
    adds = [f"{len(row.get(kind, []))} {kind}" for kind in ("routes", "tables", "capabilities") if row.get(kind)]
    more = [row.get("state", "-"), ", ".join(adds) or "-"] if loaded else []
    return [row["name"], row["version"], row["distribution"], enabled, *more, row["why"]]


def loaded(plugins: list[Plugin], settings: KernelSettings, sources: Sources) -> dict[str, dict[str, Any]]:
    """By name, how each enabled plugin stands and what it contributes, told by a process of its own."""
    from ..plugins.trials import try_plugins  # what only this option needs

    tried, contributions = try_plugins(plugins, settings, sources)
    return {one.name: state_of(one) | contributions.get(one.name, {}) for one in tried}


def state_of(plugin: Plugin) -> dict[str, Any]:
    if plugin.fault is None:
        return {"state": "ready"}
    return {"state": "failed" if plugin.required else "quarantined", "why": str(plugin.fault)}


def switch(args: Namespace, settings: KernelSettings, _: Sources) -> int:
    manifest = read_manifest(settings)
    refuse_unsafe(args.name, manifest, enabled=args.enabled)
    path = write_enabled(manifest, args.name, enabled=args.enabled)
    say(f"{args.name} is {'enabled' if args.enabled else 'disabled'} in {path}; it counts from the next start")
    return 0


def refuse_unsafe(name: str, manifest: Manifest, *, enabled: bool) -> None:
    """Raise when the plugin is not there, or when others, or its own requirements, would be left without."""
    if manifest.path is None:
        raise ManifestError("there is no such file", where="plugins.toml", cure="list the plugins that run in it first")
    plugins = {plugin.name: plugin for plugin in survey(find(), manifest)}
    if name not in plugins and enabled:
        raise VincError(f"there is no plugin {name!r} installed; vinc plugins lists them")
    if name not in plugins and name not in manifest.entries:
        raise VincError(f"there is no plugin {name!r}; vinc plugins lists them")
    if enabled:
        if found := plugins[name].fault:
            raise found
        if lost := [needed for needed in plugins[name].needs if not plugins[needed].enabled]:
            raise VincError(f"{name} needs {', '.join(lost)}: enable that first")
    elif left := dependents(name, plugins.values()):
        raise VincError(f"{', '.join(left)} would be left without {name}: disable {left[0]} first")
