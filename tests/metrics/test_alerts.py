"""The alerts ask for what is there."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from policy.reasons import Code as PolicyCode
from signer.codes import Code as ServiceCode
from signer.hsm.health import SessionState, SlotState
from signer.metrics.families import FAMILIES, Kind

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "deploy" / "monitoring" / "alerts.yaml").read_text(encoding="utf-8")
BY_NAME = {family.name: family for family in FAMILIES}
EXPRESSIONS = re.findall(r"^ +expr: (.+)$", RULES, re.MULTILINE)
KNOWN: Mapping[tuple[str, str], Collection[str]] = {
    ("signgate_hsm_breaker", "state"): set(SlotState),
    ("signgate_hsm_sessions", "state"): set(SessionState),
    ("signgate_payloads_total", "outcome"): {*PolicyCode, *ServiceCode, "SIGNED"},
    ("signgate_hsm_errors_total", "class"): {"invalid_signature"},
}


def family_of(name: str) -> str:
    """Return the metric that a series belongs to."""
    base = re.sub("_(bucket|count|sum)$", "", name)
    return base if base in BY_NAME and BY_NAME[base].kind is Kind.HISTOGRAM else name


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_exists(expression: str) -> None:
    """Each name is a metric, each label one of its labels, each value one that it can have."""
    selectors = re.findall(r"\b((?:signgate|process)_\w+)(?:\{(.*?)\})?", expression)
    assert selectors
    for name, matchers in selectors:
        family = BY_NAME[family_of(name)]
        for label, value in re.findall(r'(\w+)="(.*?)"', matchers):
            assert label in family.labels
            assert value in KNOWN[family.name, label]


def test_every_alert_says_what_it_means() -> None:
    """Each has an expression, a severity and a summary."""
    alerts = re.findall(r"- alert: (\w+)\n((?: {8}.+\n)+)", RULES)
    assert len(alerts) == len(EXPRESSIONS) == RULES.count("- alert:")
    assert len({name for name, _ in alerts}) == len(alerts)
    for _, body in alerts:
        assert re.search(r"severity: (page|warn) ", body)
        assert re.search(r"summary: \S.+\.\n", body)
