"""There is no development issuer in production, whatever production is called (threat T16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from vinc_devissuer.settings import DevissuerSettings
from vinc_kernel import StartError
from vinc_testing import VincApp

MakeApp = Callable[[], VincApp]
OPTIONAL = "[plugins.tenants]\n[plugins.identity]\n[plugins.devissuer]\nrequired = false\n"


@pytest.fixture
def spelling(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "prod"))


@pytest.fixture
def vinc_environment(spelling: str) -> Mapping[str, str]:
    return {"VINC_ENV": spelling, "VINC_JWT_TEST_SECRET": "", "VINC_SECRET_KEY": "k" * 40}


@pytest.mark.parametrize("spelling", ["", "prod"], indirect=True)  # an empty value is none
async def test_production_does_not_start_with_it(vinc_make_app: MakeApp) -> None:
    with pytest.raises(StartError, match="vinc plugins disable devissuer") as refused:
        vinc_make_app()

    assert (refused.value.plugin, refused.value.phase) == ("devissuer", "settings")


async def test_where_it_is_optional_production_starts_without_it(
    vinc_make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plugins.toml").write_text(OPTIONAL)
    monkeypatch.setenv("VINC_PLUGINS_FILE", str(tmp_path / "plugins.toml"))
    async with vinc_make_app().started() as app:
        states = {one.name: one.state for one in app.plugin("tenants").plugins}
        assert states["devissuer"] == "quarantined"
    assert "no issuer of tokens is trusted here" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "ftp://localhost",
        "http://localhost/",
        "http://a/?b",
        "http://u:p@a",
        "http://A/b",
        "http://a\n",
    ],
)
def test_an_address_that_would_have_to_be_normalised_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="write it as"):
        DevissuerSettings(url=url)
