"""The alert policy as Prometheus has it: promtool reads the rules, and runs them on series."""

from __future__ import annotations

import pytest
import yaml

from deepfake_lightning.monitoring.alerts import AlertPolicy
from deepfake_lightning.serving.prometheus.rule_file import rule_file
from deepfake_lightning.serving.prometheus.rules import UNJUDGED, rules_of

POLICY = AlertPolicy()
SERVER = 'job="deepfake-lightning",instance="a:8000"'


def predictions(values, *, status=200, version="v1.0.0", media="image"):
    labels = f'environment="production",version="{version}",media="{media}",status="{status}"'
    return {"series": f"deepfake_predictions_total{{{labels},{SERVER}}}", "values": values}


def latencies(quick, all_of_them):
    """Return a histogram of image requests: those up to 0.5 s, and all."""
    labels = f'environment="production",version="v1.0.0",media="image",{SERVER}'
    name = "deepfake_prediction_seconds"
    return [
        {"series": f'{name}_bucket{{le="0.4",{labels}}}', "values": quick},
        {"series": f'{name}_bucket{{le="0.5",{labels}}}', "values": quick},
        {"series": f'{name}_bucket{{le="0.75",{labels}}}', "values": all_of_them},
        {"series": f'{name}_bucket{{le="+Inf",{labels}}}', "values": all_of_them},
        {"series": f"{name}_count{{{labels}}}", "values": all_of_them},
    ]


def alone(metric, values, labels=SERVER):
    return [{"series": f"{metric}{{{labels}}}", "values": values}]


def judged(rule, values, subject="production/v1.0.0"):
    labels = f'environment="production",subject="{subject}",rule="{rule}",severity="critical"'
    return alone("deepfake_alert_firing", values, f"{labels},{SERVER}")


CASES = {
    # Errors for half an hour; then their share falls, below `clear`, and ten minutes more.
    "errors fire and end": ("errors", [
        predictions("0+20x70"), predictions("0+2x30 60x40", status=500, media="none")
    ], {4: 0, 15: 1, 30: 1, 45: 1, 55: 0}),
    "two errors of a hundred may be chance": ("errors", [
        predictions("0+10x40"), predictions("0x10 2x30", status=500, media="none")
    ], {12: 0, 16: 0, 19: 0}),
    "twenty requests are too few": ("errors", [
        predictions("0+1x40"), predictions("0+1x40", status=500, media="none")
    ], {20: 0, 40: 0}),
    "refusals are no errors": ("errors", [
        predictions("0+20x40"), predictions("0+10x40", status=503, media="none")
    ], {20: 0, 40: 0}),
    "another version's errors are not added": ("errors", [
        predictions("0+2000x40", version="v1.1.0"), predictions("0+20x40"),
        predictions("0+3x40", status=502, media="none"),
    ], {20: 1}),
    "refusals of all versions and of none": ("refusals", [
        predictions("0+20x60"),
        predictions("0+5x30 150x30", status=503, version="none", media="none"),
    ], {4: 0, 15: 1, 55: 0}),
    "three of a hundred refused": ("refusals", [
        predictions("0+97x40"), predictions("0+3x40", status=503, media="none")
    ], {20: 0, 40: 0}),
    "every tenth request is slow": ("image_latency", latencies("0+90x40", "0+100x40"),
                                    {4: 0, 12: 1, 40: 1}),
    "every fiftieth request is slow": ("image_latency", latencies("0+98x40", "0+100x40"),
                                       {12: 0, 40: 0}),
    "eight slow requests": ("image_latency", latencies("0x40", "0+1x8 8x32"), {6: 0, 12: 0}),
    # A server that is gone has no series; the alert stays until requests come in again.
    "no traffic where there was some": ("no_traffic", [predictions("0+2x70 _x230 140+2x60")],
                                        {70: 0, 80: 0, 92: 1, 290: 1, 320: 0}),
    "a stray request ends no outage": ("no_traffic", [predictions("0+2x70 140x100 141x60")],
                                       {92: 1, 173: 1, 220: 1}),
    "no traffic where there was hardly any": ("no_traffic", [predictions("0+0.5x70 35x100")],
                                              {92: 0, 160: 0}),
    "the log is away": ("log_stalled", alone("deepfake_log_away", "0x5 1x10 0x20"),
                        {6: 0, 9: 1, 18: 1, 24: 0}),
    "rows are lost": ("log_stalled", alone("deepfake_log_rows_dropped_total", "0x5 1x40"),
                      {5: 0, 10: 1, 40: 0}),
    "a full disk, until it is clear": (
        "disk",
        alone("deepfake_disk_used_ratio", "0.5x5 0.91x10 0.89x20 0.87x30",
              f'disk="workspace",{SERVER}'),
        {8: 0, 12: 1, 35: 1, 50: 0},
    ),
    "a disk that is nearly full": (
        "disk", alone("deepfake_disk_used_ratio", "0.89x40", f'disk="log",{SERVER}'), {40: 0}
    ),
    "quality, as it was judged": ("quality", judged("quality", "0x5 1x5 _x20"),
                                  {4: 0, 8: 1, 25: 0}),
    "drift, as it was judged": ("drift", judged("drift", "1x10"), {5: 1}),
    "another rule's alert": ("drift", judged("errors", "1x10"), {5: 0}),
    "nobody judges": (
        UNJUDGED,
        alone("deepfake_alerts_judged_timestamp_seconds", "0x60",
              f'environment="production",{SERVER}'),
        {29: 0, 39: 0, 42: 1},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(rule_file(POLICY))
    return path


def run(promtool, rules, place, tests):
    content = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}
    path = place / "tests.yaml"
    path.write_text(yaml.safe_dump(content))
    return promtool("test", "rules", path)


def test_promtool_takes_the_rules(promtool, rules):
    assert "SUCCESS" in promtool("check", "rules", rules)


def test_every_rule_of_the_policy_is_one_and_is_tried_both_ways():
    names = {rule.name for rule in rules_of(POLICY) if rule.expr}
    assert names == {rule.name for rule in POLICY.rules} | {UNJUDGED}
    tried = {(rule, state) for rule, _, moments in CASES.values() for state in moments.values()}
    assert tried == {(name, state) for name in names for state in (0, 1)}


@pytest.mark.slow
def test_rules_fire_and_do_not(promtool, rules, tmp_path):
    tests = []
    for rule, series, moments in CASES.values():
        fires = f'count(ALERTS{{alertname="{rule}",alertstate="firing"}})'
        tests.append({
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [
                {"expr": fires, "eval_time": f"{minute}m",
                 "exp_samples": [{"labels": "{}", "value": 1}] if state else []}
                for minute, state in moments.items()
            ],
        })  # fmt: skip
    run(promtool, rules, tmp_path, tests)


def test_an_alert_says_what_why_and_what_to_do(promtool, rules, tmp_path):
    _, series, _ = CASES["errors fire and end"]
    (rule,) = [one for one in rules_of(POLICY) if one.name == "errors"]
    labels = {"environment": "production", "version": "v1.0.0"}

    def filled(text):
        for name, value in labels.items():
            text = text.replace(f"{{{{ $labels.{name} }}}}", value)
        return text.replace("{{ $value | humanizePercentage }}", "9.091%")

    annotations = {"summary": filled(rule.summary), "description": filled(rule.description),
                   "next_step": filled(rule.next_step)}  # fmt: skip
    assert annotations["summary"] == "production v1.0.0: 9.091% of the requests fail"
    assert "rollback --env production" in annotations["next_step"]
    assert not any("$" in text for text in annotations.values())
    expected = {
        "exp_labels": {**labels, "service": "deepfake_lightning", "severity": "critical"},
        "exp_annotations": annotations,
    }
    alert = {"alertname": "errors", "eval_time": "20m", "exp_alerts": [expected]}
    tests = [{"interval": "1m", "input_series": series, "alert_rule_test": [alert]}]
    run(promtool, rules, tmp_path, tests)


def test_limits_and_windows_are_those_of_the_policy():
    policy = AlertPolicy.model_validate({"rules": [
        {"name": "slow-clips", "measure": "latency_p95", "limit": 2000, "media": "video",
         "window_minutes": 7, "minimum": 12, "environments": ["production", "staging"]},
    ]})  # fmt: skip
    text = rule_file(policy)
    (group,) = yaml.safe_load(text)["groups"]
    by_name = {one.get("record", one.get("alert")): one for one in group["rules"]}
    slow = by_name["deepfake:slow:clips:slow"]["expr"]
    assert 'environment=~"production|staging",media="video",le="2.0"' in slow and "[7m]" in slow
    assert "deepfake:slow:clips:requests >= 12" in by_name["slow-clips"]["expr"]
    assert "for" not in by_name["slow-clips"]
    assert UNJUDGED not in by_name  # nothing rests on rounds


def test_what_prometheus_cannot_tell_is_said():
    rule = {"name": "slow", "measure": "latency_p95", "limit": 333}
    text = rule_file(AlertPolicy.model_validate({"rules": [rule]}), ["mine.yaml"])
    assert "The policy: mine.yaml." in text
    assert "# - slow: by Prometheus, with the limit 400 ms: 333 is no edge of a bucket" in text
    text = rule_file(AlertPolicy.model_validate({"rules": [{**rule, "limit": 1e6}]}))
    assert "# - slow: by `monitor` alone" in text
    assert yaml.safe_load(text)["groups"][0]["rules"] == []
