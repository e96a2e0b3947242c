"""The integration tests of a version, from the start of a real server to its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.report import (
    IntegrationCheck,
    IntegrationReport,
    Load,
)
from deepfake_lightning.deployment.integration.server import (
    ENVIRONMENT,
    ServerDown,
    StagingServer,
    staging_server,
)
from deepfake_lightning.deployment.integration.steps import STEPS, Bench, Stop
from deepfake_lightning.deployment.integration.throwaway import throwaway_workspace
from deepfake_lightning.deployment.integration.turns import deploy
from deepfake_lightning.errors import BundleError, DeepfakeLightningError, RegistryError
from deepfake_lightning.registry import Registry
from deepfake_lightning.storage import Workspace

Progress = Callable[[str, float], None]
"""Told what is tested now, and the share of all that is done, 0 to 1."""


@dataclass
class _Found:
    """What is known so far."""

    checks: list[IntegrationCheck] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    loads: tuple[Load, ...] = ()


def run_integration_tests(
    workspace: Workspace,
    candidate: str,
    champion: str | None = None,
    plan: IntegrationPlan | None = None,
    *,
    progress: Progress = lambda what, done: None,
) -> IntegrationReport:
    """Test a version in a real server, which is started for it and ended again.

    The server has a throw-away workspace whose registry is the real one, so nothing that serves is
    touched, and nothing is left, whatever happens. It begins with the champion; the versions then
    take turns while clients ask.

    Args:
        workspace: whose registry has the versions, and whose ``deployment/known`` the known media.
        candidate: the version that is tested.
        champion: the version that serves now; None where none does. One that does not come up any
            more is noted, and the candidate is tested alone.
        plan: the limits.
        progress: told what is tested.

    Returns:
        The checks, each with what was found. What a version or a server does wrong is a failed
        check, and no error.

    Raises:
        UsageError: a version is not registered.
        StorageError: the machine refused.
    """
    plan, registry, began = plan or IntegrationPlan(), Registry(workspace), time.monotonic()
    version = registry.get(candidate).version
    other = registry.get(champion).version if champion else None
    other = None if other == version else other
    busy = _busy()
    try:
        bundle = registry.bundle(version)
    except (BundleError, RegistryError) as error:
        found = _not_ready(f"{version} cannot be served: {error.what}", plan)
    else:
        found, other = _both(workspace, bundle, version, other, plan, progress)
    found.notes += busy
    progress("done", 1.0)
    return IntegrationReport(
        version, other, tuple(found.checks), tuple(found.not_run), tuple(found.notes), found.loads,
        round(time.monotonic() - began, 1), plan,
    )  # fmt: skip


def _both(
    workspace: Workspace,
    bundle: Bundle,
    candidate: str,
    champion: str | None,
    plan: IntegrationPlan,
    progress: Progress,
) -> tuple[_Found, str | None]:
    """Test a version beside the champion, or alone; return what was found, and beside which."""
    if champion is None:
        return _attempt(workspace, bundle, candidate, None, plan, progress), None
    found = _attempt(workspace, bundle, candidate, champion, plan, progress)
    if found.checks[0].passed:
        return found, champion
    alone = _attempt(workspace, bundle, candidate, None, plan, progress)
    says = f"{champion}, which serves now, is not compared with: {found.checks[0].says}"
    alone.notes.append(says)
    return alone, None


def _attempt(
    workspace: Workspace,
    bundle: Bundle,
    candidate: str,
    champion: str | None,
    plan: IntegrationPlan,
    progress: Progress,
) -> _Found:
    """Start a server with the champion, or with the candidate without one, and test it."""
    first = champion or candidate
    progress(f"starting a server with {first}", 0.0)
    with throwaway_workspace(workspace) as place:
        path = place.environments / f"{ENVIRONMENT}.json"
        deploy(path, first)
        with staging_server(place, plan) as server:
            try:
                seconds = server.wait_until_ready(plan.ready_seconds)
            except (ServerDown, httpx.HTTPError) as error:
                return _not_ready(f"a server with {first} does not come up: {error}", plan)
            ready = IntegrationCheck(
                "ready", True, f"a server with {first} was up in {seconds:.1f} s",
                round(seconds, 3), plan.ready_seconds, "s",
            )  # fmt: skip
            bench = Bench(workspace, bundle, candidate, champion, plan, server, path, progress)
            return _tested(bench, server, _Found([ready]))


def _tested(bench: Bench, server: StagingServer, found: _Found) -> _Found:
    for number, step in enumerate(STEPS):
        bench.progress(step.words, step.done)
        try:
            found.checks += step.run(bench)
        except Stop as stop:
            found.checks += stop.checks
        except (ServerDown, httpx.HTTPError) as error:
            says = f"the server does not answer: {server.why_gone() or error}"
            found.checks.append(IntegrationCheck(step.name, False, says))
        except DeepfakeLightningError as error:
            found.checks.append(IntegrationCheck(step.name, False, error.what))
            continue
        else:
            continue
        found.not_run += [one.name for one in STEPS[number + 1 :]]
        break
    found.loads = bench.loads
    return found


def _not_ready(says: str, plan: IntegrationPlan) -> _Found:
    check = IntegrationCheck("ready", False, says, None, plan.ready_seconds, "s")
    return _Found([check], [step.name for step in STEPS])


def _busy() -> list[str]:
    """Note where other work takes the machine: the times that are measured then are its, too."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < 1.5 * cores:
        return []
    return [
        f"the machine was busy before the tests began ({load:.0f} processes for {cores} cores), "
        "which makes all times longer: where one is over its limit, test again on a quiet machine"
    ]
