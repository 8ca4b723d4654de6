"""`vinc check`: everything from settings to the check of all plugins, without a database; for CI."""

from __future__ import annotations

import logging
from argparse import Namespace
from functools import partial

from ..errors import StartErrors
from ..settings import KernelSettings, Sources
from .command import FINDINGS, Commands, say


def add(commands: Commands) -> None:
    made = commands.add_parser("check", help="check settings, plugins.toml and every plugin, without a database")
    made.set_defaults(run=run)


def run(_: Namespace, settings: KernelSettings, given: Sources) -> int:
    from ..app import create_app  # loads every plugin
    from ..openapi import part
    from ..plugins.assemble import attempt

    # What is quarantined is a finding, printed below; without a handler it would be on stderr as well.
    logging.getLogger("vinc.plugins").addHandler(logging.NullHandler())
    app = create_app(settings, given)
    members, header = app.assembly.members, settings.service.tenant_header
    for one in app.assembly.ready:  # no trial has described the required ones
        attempt(app.assembly, one, "check", partial(part, one.plugin.name, one.endpoints, (), header))
    if errors := [one.error for one in members if one.error and one.plugin.required]:
        raise StartErrors(errors)
    for line in app.assembly.unread(given, settings):
        say(f"warning: {line}")
    for route in app.routes:
        if route.requirement.public and route.requirement.tenant:
            what = f"the route {route.path} is public and needs a tenant: who has none gets 400"
            say(f"warning: {route.plugin}: check: {what} ({route.where}); guard it, or take the session out")
    quarantined = [one for one in members if one.error is not None]
    for one in quarantined:
        say(f"quarantined: {one.error}")
    ready = len(members) - len(quarantined)
    say(f"{ready} of {len(members)} plugins are ready, with {len(app.routes)} routes")
    return FINDINGS if quarantined else 0
