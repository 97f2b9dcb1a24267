"""What ships for running the server agrees with the server: names of settings, the unit's own grammar, the parts."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from overpaint.settings import PREFIX, ServerSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {f"{PREFIX}{name}".upper() for name in (*ServerSettings.model_fields, "config")}
OTHERS = {"OVERPAINT_NAME", "OVERPAINT_KEY", "OVERPAINT_URL"}  # any setting; what clients call theirs
FILES = [*DEPLOY.glob("*"), *(ROOT / "docs" / "howto").glob("*.md"), ROOT / "README.md"]


@pytest.mark.parametrize("file", [file for file in FILES if file.is_file()], ids=lambda file: file.name)
def test_every_setting_that_is_named_exists(file: Path) -> None:
    named = set(re.findall(r"\bOVERPAINT_[A-Z_]*[A-Z]\b", file.read_text()))
    assert named <= SETTINGS | OTHERS


def test_the_compose_file_has_a_server_that_waits_for_its_database() -> None:
    compose: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    server, database = compose["services"]["server"], compose["services"]["database"]
    assert server["depends_on"]["database"]["condition"] == "service_healthy"
    assert (DEPLOY / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
    assert database["healthcheck"]["test"][0] == "CMD"
    volumes = {mount.partition(":")[0] for service in (server, database) for mount in service["volumes"]}
    assert volumes == set(compose["volumes"])


def test_what_the_compose_file_requires_is_kept_for_its_next_command() -> None:
    """Compose wants it at every command, and the database keeps the password that it was made with."""
    text = (ROOT / "docs" / "howto" / "run-with-docker.md").read_text()
    required = re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text())
    assert required
    for name in required:
        assert re.search(rf'^echo "{name}=.*" > deploy/\.env ', text, re.MULTILINE)
        assert not re.search(rf"^{name}=", text, re.MULTILINE)


def test_the_unit_is_what_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "overpaint.service"
    unit.write_text(re.sub("(?m)^ExecStart=.*$", "ExecStart=/bin/true", (DEPLOY / "overpaint.service").read_text()))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_dashboards_panels_do_not_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana" / "overpaint.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert all(x < 24 for x, _ in places)
