"""Load every enabled plugin and print what each contributes, as JSON: what `vinc plugins --loaded` runs on its own.

Plugins may print while they are imported, so the answer goes to the file descriptor that this process began with.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from ..errors import StartErrors, VincError
from ..hookspecs import HOOKS
from ..plugins.arrange import enabled
from ..plugins.assemble import Assembling, Assembly, Member, assemble
from ..plugins.check import commands_of
from ..settings import Sources, read_settings
from .command import complain


def contributed(member: Member, assembly: Assembly) -> dict[str, Any]:
    made = member.contribution
    return {
        "state": member.state.state,
        "why": member.state.why,
        "routes": sorted(f"{method} {one.path}" for one in member.endpoints for method in one.methods - {"HEAD"}),
        "tables": sorted(str(model.__tablename__) for model in made.models),
        "capabilities": sorted(map(str, made.capabilities)),
        "roles": sorted(role.name for role in made.roles),
        "provides": sorted(protocol.__name__ for protocol in made.provides),
        "settings": sorted(made.settings.model_fields) if made.settings else [],
        "tenant_settings": sorted(made.tenant_settings.model_fields) if made.tenant_settings else [],
        "commands": sorted(" ".join(words) for words, _ in commands_of(made)),
        "hooks": [name for name in HOOKS if assembly.hooks(name, member.plugin.name)],
    }


def describe(tell: Callable[[str, str], None]) -> dict[str, Any]:
    """By plugin what it contributes; of one that stops the start, why. Plugin and phase are told before each step."""
    given = Sources.read(os.environ)
    settings, _ = read_settings(given)
    try:
        assembly = assemble(enabled(settings), Assembling(settings=settings, sources=given, tell=tell))
    except StartErrors as error:
        return {one.plugin: {"state": "failed", "why": str(one)} for one in error.errors}
    return {member.plugin.name: contributed(member, assembly) for member in assembly.members}


def main() -> int:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    logging.disable()

    def tell(plugin: str, phase: str) -> None:
        print(f"{plugin}: {phase}", file=answers, flush=True)

    try:
        answers.write(json.dumps(describe(tell)))
    except VincError as error:
        for line in str(error).splitlines():
            complain(line)
        return 1
    answers.flush()
    os._exit(0)  # a plugin may have left threads that would not let this process end


if __name__ == "__main__":
    sys.exit(main())
