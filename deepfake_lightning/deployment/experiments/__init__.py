"""Experiments (A/B tests): which of several versions is better, on the traffic itself.

``starting`` lets versions share an environment, or score in the shadow; ``ending`` gives all the
traffic to one. ``experiment`` is what was set up, and whether it runs; ``policy`` its rules.
``evidence`` is what the prediction log has of it, ``analysis`` what that says (a ``decision``):
pure, and tested without log and clock. ``status`` does both; ``page``, ``tables``, ``chart`` and
``words`` show it.
"""

from deepfake_lightning.deployment.experiments.decision import ExperimentDecision
from deepfake_lightning.deployment.experiments.ending import (
    check_promotion,
    check_stop,
    promote,
    stop,
    winner_of,
)
from deepfake_lightning.deployment.experiments.experiment import Experiment, every, run_of
from deepfake_lightning.deployment.experiments.policy import ExperimentPolicy, policy_of
from deepfake_lightning.deployment.experiments.starting import Start, start
from deepfake_lightning.deployment.experiments.status import keep_decision, status

__all__ = [
    "Experiment",
    "ExperimentDecision",
    "ExperimentPolicy",
    "Start",
    "check_promotion",
    "check_stop",
    "every",
    "keep_decision",
    "policy_of",
    "promote",
    "run_of",
    "start",
    "status",
    "stop",
    "winner_of",
]
