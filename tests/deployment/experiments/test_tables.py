"""An experiment's rows: what is not known yet is no zero, and a tiny chance none either."""

from deepfake_lightning.deployment.experiments import status
from deepfake_lightning.deployment.experiments.tables import arm_rows, finding_rows


def test_labels_of_the_first_minute_are_no_answers_of_zero_requests(
    production, begin, serve, log, clock
):
    experiment = begin("v1.1.0")
    serve(experiment, {"v1.0.0": 0.5, "v1.1.0": 1.0}, 400, seconds=0.05, delay_s=0.0)
    clock.wait(seconds=1.0)
    found = status(production, experiment, log, clock.now)
    heads, rows = arm_rows(found)
    assert [row[heads.index("answered")] for row in rows] == ["-", "-"]
    assert all("0 / 0" not in row for row in rows)


def test_without_requests_and_labels_nothing_has_been_answered(production, begin, clock):
    heads, rows = arm_rows(status(production, begin("v1.1.0"), None, clock.now))
    assert [row[heads.index("answered")] for row in rows] == ["0", "0"]


def test_a_chance_below_all_that_matters_is_said_to_be(production, begin, serve, log, clock):
    experiment = begin("v1.1.0")
    serve(experiment, {"v1.0.0": 0.1, "v1.1.0": 1.0}, 1500)
    clock.wait(hours=2.0)
    found = status(production, experiment, log, clock.now)
    heads, rows = finding_rows(found)
    assert found.challengers[0].p < 1e-9
    assert rows[0][heads.index("p")] == "<1e-09"
