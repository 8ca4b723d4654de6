"""pytest plugin"""
from __future__ import annotations
import os
from pathlib import Path
import pytest
from .servers import Servers, servers
@pytest.fixture(scope="session")
def vinc_servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Servers:
    worker = hasattr(request.config, "workerinput")
    base = tmp_path_factory.getbasetemp()
    return servers(base.parent if worker else base, os.getppid() if worker else os.getpid(), lambda _: None)
