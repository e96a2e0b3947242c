"""Media that the operator knows: the server says of them what the same detector says here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.deployment.integration.golden import golden_pictures
from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.report import IntegrationCheck
from deepfake_lightning.deployment.integration.traffic import PREDICT, Picture
from deepfake_lightning.inference import EngineSource
from deepfake_lightning.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from deepfake_lightning.schemas import Assessment
from deepfake_lightning.storage import Workspace

NAME, FOLDER = "known", "known"
KINDS = ("real", "fake")
_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES


@dataclass(frozen=True)
class Known:
    """An item whose answer can be foretold.

    Attributes:
        name: of it, for people.
        source: its file, or what is sent.
        kind: ``real`` or ``fake``; None of golden pictures, which are drawn.
    """

    name: str
    source: Path | Picture
    kind: str | None = None

    def read(self) -> Picture:
        """Return what is sent; a file is left to the detector to say whether it is a crop."""
        if isinstance(self.source, Picture):
            return self.source
        return Picture(self.source.read_bytes())


def known_media(workspace: Workspace, bundle: Bundle, most: int) -> list[Known]:
    """Return the operator's known media, or the golden pictures where there are none.

    Args:
        workspace: whose ``deployment/known/real`` and ``/fake`` are looked into.
        bundle: whose golden pictures are taken else.
        most: of each folder, in the order of their names.
    """
    found = []
    for kind in KINDS:
        folder = workspace.deployment / FOLDER / kind
        files = sorted(one for one in folder.glob("*") if one.suffix.lower() in _SUFFIXES)
        found += [Known(f"{kind}/{one.name}", one, kind) for one in files[:most]]
    if found:
        return found
    return [Known(f"golden picture {number}", picture)
            for number, picture in enumerate(golden_pictures(bundle), 1)]  # fmt: skip


def check_known(
    client: httpx.Client,
    bundle: Bundle,
    known: Sequence[Known],
    plan: IntegrationPlan,
    on_item: Callable[[int], None] = lambda number: None,
) -> IntegrationCheck:
    """Compare the server's answers with those of the same detector in this process.

    Args:
        client: asks the server.
        bundle: of the detector.
        known: what is sent.
        plan: how far logits may be apart, and the device.
        on_item: told how many are done.

    Raises:
        DeepfakeLightningError: the detector cannot be opened here.
        httpx.HTTPError: the server is gone.
    """
    engine = EngineSource(bundle.folder, device=plan.device, digest=bundle.digest).open()
    differences, indicated = [], dict.fromkeys(KINDS, 0)
    for number, one in enumerate(known, 1):
        picture = one.read()
        here = engine.assess(picture.content, already_cropped=picture.already_cropped)
        answer = client.post(PREDICT, params=picture.query, content=picture.content)
        record = answer.json()
        fault, difference = _compared(answer.status_code, record, here)
        if fault is None and difference > plan.tolerance:
            fault = f"gets a logit of {record['logit']:.4f}, and {here.logit:.4f} in this process"
        if fault is not None:
            says = f"{one.name} {fault}"
            return IntegrationCheck(NAME, False, says, difference, plan.tolerance, "logit")
        differences.append(difference)
        if one.kind and record.get("verdict") == "manipulation_indicated":
            indicated[one.kind] += 1
        on_item(number)
    worst = max(differences, default=0.0)
    says = _says(known, indicated, bundle)
    return IntegrationCheck(NAME, True, says, round(worst, 6), plan.tolerance, "logit")


def _compared(status: int, record: dict[str, Any], here: Assessment) -> tuple[str | None, float]:
    """Return what is wrong with an answer, None where nothing is, and how far its logit is off."""
    if status != 200:
        if here.status == "unreadable" and status in (413, 415, 422):
            return None, 0.0  # it is no media, and both say so
        return f"gets the answer {status}: {record.get('error', {}).get('message')}", 0.0
    for name, expected in (
        ("status", here.status), ("verdict", here.verdict), ("bundle", here.bundle),
        ("number of faces", len(here.faces)),
    ):  # fmt: skip
        found = len(record["faces"]) if name == "number of faces" else record[name]
        if found != expected:
            return f"gets the {name} {found}, and {expected} in this process", 0.0
    if here.logit is None:
        return None, 0.0
    return None, abs(record["logit"] - here.logit)


def _says(known: Sequence[Known], indicated: dict[str, int], bundle: Bundle) -> str:
    said = f"{len(known)} known media get the answers that the detector gives in this process"
    counts = {kind: sum(one.kind == kind for one in known) for kind in KINDS}
    if not any(counts.values()):
        return f"{len(known)} golden pictures are answered as the detector does in this process"
    if bundle.calibration.image is None and bundle.calibration.video is None:
        return f"{said}; it is not calibrated and gives no verdicts"
    shown = [f"{indicated[kind]} of {counts[kind]} {kind} ones" for kind in KINDS if counts[kind]]
    return f"{said}; a manipulation is indicated in {' and '.join(shown)}"
