"""A version in a real server, before it may serve: does it work, as fast as it has to?"""

from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.report import (
    IntegrationCheck,
    IntegrationReport,
    Load,
)
from deepfake_lightning.deployment.integration.running import Progress, run_integration_tests

__all__ = [
    "IntegrationCheck",
    "IntegrationPlan",
    "IntegrationReport",
    "Load",
    "Progress",
    "run_integration_tests",
]
