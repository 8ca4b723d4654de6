"""A workshop for tiny distributions: a folder with its `dist-info` on `sys.path` is all that an installed plugin is."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from vinc_kernel.app import Application, create_app
from vinc_kernel.database.base import Base
from vinc_kernel.errors import VincError
from vinc_kernel.plugins.open import open_plugins
from vinc_kernel.registry import PluginState
from vinc_kernel.settings import KernelSettings, Sources, read_settings
from vinc_testing.servers import TOKEN_SECRET

Judge = Callable[..., None]
MEND = "mend the plugin, or disable it with: vinc plugins disable bad"
SLOW = "move the work into a lifespan hook, or raise VINC_PLUGIN_LOAD_TIMEOUT"
KERNEL = "vinc-kernel>=0.1"
GOOD = """
from fastapi import APIRouter
from vinc_kernel import Contribution, hooks, public
router = APIRouter(prefix="/NAME", dependencies=[public("a test asks")])
@router.get("")
async def answer() -> str:
    return "NAME"
@hooks.contribute
def contribute() -> Contribution:
    return Contribution(routers=[router])
"""


@dataclass
class Workshop:
    """Makes distributions, lists them in plugins.toml, and puts the application of them together."""

    folder: Path
    unique: str = field(default_factory=lambda: token_hex(4))
    environ: dict[str, str] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Path] = field(default_factory=dict)

    def plugin(
        self,
        name: str,
        code: str = GOOD,
        *,
        required: bool = True,
        requires: Sequence[str] = (KERNEL,),
        distribution: str | None = None,
        version: str = "1.0",
        package: str | None = None,
        points: str = "{package}.plugin",
        files: Mapping[str, str] | None = None,
        toml: str = "",
    ) -> Path:
        """Install a plugin and list it; the code is that of its `plugin.py`, where NAME stands for its name."""
        package, distribution = package or self.package(name), distribution or f"tiny-{name}"
        at = self.folder / package
        at.mkdir(exist_ok=True)
        for file, text in {"__init__.py": "", "plugin.py": code, **(files or {})}.items():
            (at / file).write_text(text.replace("NAME", name).replace("PACKAGE", package))
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in requires]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        (info / "entry_points.txt").write_text(f"[vinc.plugins]\n{name} = {points.format(package=package)}\n")
        self.modules[name] = at
        self.list(name, f"required = {str(required).lower()}\n{toml}")
        importlib.invalidate_caches()
        return at / "plugin.py"

    def package(self, name: str) -> str:
        """Of no other test: a thread that hangs in an import keeps the lock of that module's name."""
        return f"tiny_{name}_{self.unique}"

    def list(self, name: str, table: str) -> None:
        """Write a plugin's table in plugins.toml."""
        self.listed[name] = table
        self.write("\n".join(f"[plugins.{one}]\n{text}" for one, text in self.listed.items()))

    def write(self, manifest: str) -> None:
        self.manifest.write_text(manifest)

    @property
    def manifest(self) -> Path:
        return self.folder / "plugins.toml"

    def here(self, name: str, mark: str = "# here") -> str:
        """`file:line` of the marked line in a plugin's package."""
        for file in sorted(self.modules[name].glob("*.py")):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                if mark in line:
                    return f"{file}:{number}"
        raise LookupError(mark)

    def line(self, name: str, line: str) -> str:
        """A line about a plugin, with {here} and other marks, {toml} and {package} filled in."""
        line = line.replace("{toml}", f"{self.manifest} [plugins.{name}]").replace("{package}", self.package(name))
        if "{here" in line:
            file, _, number = self.here(name).rpartition(":")
            line = line.replace("{here}", f"{file}:{number}").replace("{here-1}", f"{file}:{int(number) - 1}")
        for mark in re.findall(r"{(# \w+)}", line):
            line = line.replace(f"{{{mark}}}", self.here(name, mark))
        return line

    @property
    def sources(self) -> Sources:
        return Sources(
            {
                "VINC_ENV": "test",
                "VINC_JWT_TEST_SECRET": TOKEN_SECRET,
                "VINC_PLUGINS_FILE": str(self.manifest),
                "VINC_PLUGIN_LOAD_TIMEOUT": "10",
            }
            | self.environ
        )

    @property
    def process_environ(self) -> dict[str, str]:
        """The environment of a process that finds these distributions, and no setting but these."""
        path = os.pathsep.join(filter(None, [str(self.folder), os.environ.get("PYTHONPATH")]))
        clean = {key: value for key, value in os.environ.items() if not key.startswith("VINC_")}
        return {**clean, **self.sources.environ, "PYTHONPATH": path}

    @property
    def settings(self) -> KernelSettings:
        return read_settings(self.sources)[0]

    def app(self) -> Application:
        return create_app(self.settings, self.sources)

    def states(self) -> Mapping[str, PluginState]:
        return self.app().runtime.registry.states

    def errors(self) -> Sequence[str]:
        """The lines with which the start is refused."""
        with pytest.raises(VincError) as caught:
            self.app()
        return str(caught.value).splitlines()

    def vinc(self, *arguments: str, seconds: float = 30, script: bool = False) -> subprocess.CompletedProcess[str]:
        """Run the real command in a process of its own: by its module, or by the script that was installed."""
        command = [str(Path(sys.executable).with_name("vinc"))] if script else [sys.executable, "-m", "vinc_kernel.cli"]
        return subprocess.run(
            [*command, *arguments],
            env=self.process_environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root_logger: None) -> Iterator[Workshop]:
    """An empty folder on `sys.path`; what its plugins leave in this process is taken away afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Workshop(tmp_path)
    for manager in [one for one in Base.registry._managers if one.class_.__module__.startswith("tiny_")]:
        Base.registry._managers.pop(manager)
        Base.registry._dispose_manager_and_mapper(manager)
    for name in [name for name in Base.metadata.tables if "tenants_" not in name]:
        Base.metadata.remove(Base.metadata.tables[name])
    for name in [name for name in sys.modules if name.startswith("tiny_")]:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def serving() -> Callable[..., Any]:
    """A client of an application whose plugins' lifespans are open; connections are another test's subject."""

    @asynccontextmanager
    async def serve(app: Application) -> AsyncGenerator[AsyncClient]:
        async with AsyncExitStack() as stack:
            await open_plugins(app.assembly, app.runtime, stack)
            transport = ASGITransport(app, raise_app_exceptions=False)
            yield await stack.enter_async_context(AsyncClient(transport=transport, base_url="http://test/api/v1"))

    return serve


@pytest.fixture
def judge(workshop: Workshop) -> Judge:
    """Install a bad plugin `bad` beside a good one: it stops the start. What becomes of optional ones: test_trials.

    `line` is the whole line about it, where {here} stands for the marked line of its code and {toml} for its table.
    """

    def judged(line: str, code: str = GOOD, **more: Any) -> None:
        workshop.environ |= more.pop("environ", {})
        workshop.plugin("good")
        workshop.plugin("bad", code, **more)

        assert workshop.errors() == [workshop.line("bad", line)]

    return judged
