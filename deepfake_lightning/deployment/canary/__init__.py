"""Canaries: a version gets more of the traffic step by step, as it shows that it is no worse.

:func:`begin` gives it the first share, :func:`step` decides once (:func:`watch` after each minute):
hold, advance, or roll back. The decision is a pure function of policy and evidence
(:mod:`~deepfake_lightning.deployment.canary.judging`).
"""

from deepfake_lightning.deployment.canary.beginning import begin
from deepfake_lightning.deployment.canary.decision import CanaryDecision
from deepfake_lightning.deployment.canary.policy import (
    CanaryPolicy,
    GuardRails,
    policy_of,
)
from deepfake_lightning.deployment.canary.running import abort, look, step
from deepfake_lightning.deployment.canary.state import CanaryState, read_state, standing
from deepfake_lightning.deployment.canary.watching import watch

__all__ = [
    "CanaryDecision",
    "CanaryPolicy",
    "CanaryState",
    "GuardRails",
    "abort",
    "begin",
    "look",
    "policy_of",
    "read_state",
    "standing",
    "step",
    "watch",
]
