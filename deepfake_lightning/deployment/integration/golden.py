"""Golden pictures through HTTP: does the server score as the bundle says?"""

from __future__ import annotations

from typing import Any

import httpx

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.deployment.integration.report import IntegrationCheck
from deepfake_lightning.deployment.integration.traffic import PREDICT, Picture
from deepfake_lightning.inference.golden_check import read_golden

NAME = "golden"


def golden_pictures(bundle: Bundle, *, with_faces: bool = False) -> list[Picture]:
    """Return a bundle's golden pictures as they are to be sent.

    Args:
        bundle: whose.
        with_faces: only those that the network is run for, where there are any.

    Raises:
        BundleError: it is changed since it was loaded, or its golden pictures are none.
    """
    crops = True if bundle.preprocess.input == "crop" else None
    golden = read_golden(bundle).pictures
    shown = [one for one in golden if one.faces] if with_faces else []
    return [Picture(bundle.read(one.file), crops) for one in shown or golden]


def check_golden(client: httpx.Client, bundle: Bundle) -> IntegrationCheck:
    """Send all golden pictures, and compare faces and logits with what is recorded.

    Raises:
        BundleError: as :func:`golden_pictures`.
        httpx.HTTPError: the server is gone.
    """
    golden = read_golden(bundle)
    differences: list[float] = []
    for expected, picture in zip(golden.pictures, golden_pictures(bundle), strict=True):
        answer = client.post(PREDICT, params=picture.query, content=picture.content)
        record = answer.json()
        fault = _fault(answer.status_code, record, expected.faces, expected.logit, bundle)
        if fault is None and expected.logit is not None:
            differences.append(abs(record["logit"] - expected.logit))
            if differences[-1] > golden.tolerance:
                fault = (
                    f"gets a logit of {record['logit']:.4f}, and {expected.logit:.4f} is recorded"
                )
        if fault is not None:
            says = f"the golden picture {expected.file} {fault}"
            value = round(max(differences), 6) if differences else None
            return IntegrationCheck(NAME, False, says, value, golden.tolerance, "logit")
    worst = max(differences, default=0.0)
    says = f"{len(golden.pictures)} golden pictures get their recorded scores, to {worst:.1g}"
    return IntegrationCheck(NAME, True, says, round(worst, 6), golden.tolerance, "logit")


def _fault(
    status: int, record: dict[str, Any], faces: int, logit: float | None, bundle: Bundle
) -> str | None:
    if status != 200:
        return f"gets the answer {status}: {record.get('error', {}).get('message')}"
    if record["bundle"] != bundle.digest:
        return f"is answered by another bundle, of {record['version']}"
    if len(record["faces"]) != faces:
        return f"shows {len(record['faces'])} faces, and {faces} are recorded"
    if (record["logit"] is None) != (logit is None):
        return "has a score where none is recorded, or the other way round"
    return None
