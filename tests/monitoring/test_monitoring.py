"""Alerts, runbook and dashboard: each names only what there is."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import FreshApi, program_or_skip
from support.api import ADMIN_KEY

ROOT = Path(__file__).parent.parent.parent
MONITORING = ROOT / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "wallet-service.json"
METRIC = re.compile(r"\b(?:wallet|process|python)_[a-z0-9_]+")
SAMPLE = re.compile(r"^(\w+)\{(.*)\} ", flags=re.MULTILINE)
OF_PROMETHEUS = {"job", "instance"}


def promtool(*arguments: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(each) for each in (program_or_skip("promtool"), *arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=60)


def alerts() -> list[dict[str, Any]]:
    return [
        rule
        for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]


def panels() -> Iterator[dict[str, Any]]:
    yield from json.loads(DASHBOARD.read_text())["panels"]


def queries() -> list[str]:
    """Those of the dashboard, its variables replaced as Grafana does."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    found += [each["expr"] for each in dashboard["annotations"]["list"]]
    return [
        each.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$job", "wallet")
        for each in found
    ]


@pytest.mark.programs("promtool")
def test_prometheus_takes_its_settings_and_the_alerts() -> None:
    result = promtool("check", "config", MONITORING / "prometheus.yml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(alerts())} rules found" in result.stdout


@pytest.mark.programs("promtool")
def test_alerts_fire_when_they_should_and_not_before() -> None:
    result = promtool("test", "rules", Path(__file__).parent / "alerts_test.yml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_is_seen_to_fire() -> None:
    cases = yaml.safe_load((Path(__file__).parent / "alerts_test.yml").read_text())["tests"]
    fired = {check["alertname"] for case in cases for check in case["alert_rule_test"] if check["exp_alerts"]}
    assert fired == {each["alert"] for each in alerts()}


@pytest.mark.programs("promtool")
def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{index}", "expr": each} for index, each in enumerate(queries())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    result = promtool("check", "rules", file)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(rules) > 30


def test_an_alert_says_how_bad_it_is_and_where_to_read_on() -> None:
    names = [each["alert"] for each in alerts()]
    assert len(names) == len(set(names))
    for each in alerts():
        assert each["labels"]["severity"] in {"critical", "warning", "info"}, each
        assert each["annotations"]["summary"], each
        assert each["annotations"]["description"], each
        assert each["annotations"]["runbook_url"] == f"docs/runbook.md#{each['alert'].lower()}"


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    sections = re.split(r"^## ", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)[1:]
    assert [each.split("\n")[0] for each in sections] == [each["alert"] for each in alerts()]
    for section in sections:
        assert "- Look: " in section or "look and do as there" in section, section


def test_panels_have_ids_of_their_own_and_take_the_data_source_of_the_variable() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    for panel in panels():
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            for each in (panel, *panel["targets"]):
                assert each["datasource"]["uid"] == "${datasource}"


def test_grafana_is_given_the_data_source_and_the_dashboard() -> None:
    folder = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((folder / "dashboards" / "wallet.yml").read_text())["providers"]
    assert provider["type"] == "file"


@pytest.fixture
async def exposition(fresh_api: FreshApi) -> str:
    """What a working application with limits and upstream services exports."""
    api = await fresh_api(
        rate_limit_client_tokens=1000,
        verify_users=True,  # with the metrics of upstream services
        account_url="http://127.0.0.1:1",
        upstream_unavailable_policy="allow",
    )
    wallet = await api.admin.wallet("10")
    await api.admin.move("consume", wallet["wallet_id"], "1")
    return (await api.http.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})).text


def declared_in(exposition: str) -> set[str]:
    names = set(re.findall(r"^# TYPE (\S+)", exposition, flags=re.MULTILINE))
    return names | {f"{name}_{part}" for name in names for part in ("bucket", "count", "sum")}


async def test_the_documents_name_only_what_there_is(exposition: str) -> None:
    declared = declared_in(exposition)
    rooms = "|".join({name.split("_")[1] for name in declared if name.startswith("wallet_")})
    # Other names begin with wallet_ too: codes of problems, fields, schemas.
    a_metric = re.compile(rf"\bwallet_(?:(?:{rooms})_\w+|\w+_(?:total|seconds|operations))")
    named: set[str] = set()
    for page in (ROOT / "docs").glob("*.md"):
        for found in a_metric.finditer(text := page.read_text()):
            named.add(found[0])
            begun = text[found.end()] == "…"  # as in wallet_commit_…
            assert any(name == found[0] or (begun and name.startswith(found[0])) for name in declared), (
                f"{page.name} names {found[0]}"
            )
    assert len(named) > 10


async def test_alerts_and_dashboard_name_only_what_there_is(exposition: str) -> None:
    declared = declared_in(exposition)
    asked = [*queries(), *(each["expr"] for each in alerts())]
    named = {name for text in asked for name in METRIC.findall(re.sub(r'"[^"]*"', "", text))}
    assert len(named) > 20
    assert named <= declared
    labels = {name: set(re.findall(r'(\w+)="', rest)) for name, rest in SAMPLE.findall(exposition)}
    for name, selected in (found for text in asked for found in re.findall(r"(\w+)\{([^}]*)\}", text)):
        if name in labels:  # not of those that have no series yet
            assert set(re.findall(r"(\w+)(?:=|!=)", selected)) <= labels[name] | OF_PROMETHEUS, (
                name,
                selected,
            )


@pytest.mark.programs("promtool")
async def test_the_metrics_are_as_prometheus_wants_them(exposition: str) -> None:
    result = promtool("check", "metrics", given=exposition)
    assert result.returncode == 0, result.stdout + result.stderr
