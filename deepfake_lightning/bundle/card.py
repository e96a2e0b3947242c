"""The model card: what a detector is for, what it is not for, and what it does not know.

After Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv 1810.03993).
"""

from __future__ import annotations

from typing import Any

from deepfake_lightning.bundle.calibration_card import calibration_card
from deepfake_lightning.bundle.calibration_file import CalibrationRecord
from deepfake_lightning.bundle.reference import Reference
from deepfake_lightning.schemas import Preprocess
from deepfake_lightning.schemas.assessment import NOT_COVERED
from deepfake_lightning.schemas.bundle import BundleRecord

_DEMO = (
    "> **Trained on drawn faces.** It proves that the pipeline works, and says nothing about "
    "real deepfakes. Do not use it on anything that matters.\n\n"
)
_UNKNOWN_CROPS = (
    "- It was trained on crops of unknown making: in clips, faces are cut out with this package's "
    "own\n  margin, and scores of clips were not measured.\n"
)
_FLIP = "; a face is scored with its mirror image"
_INPUT = {
    "crop": "pictures that are face crops already; in clips, faces are found",
    "frame": "pictures and clips as they come: faces are found and cut out",
    "whole": "whole pictures and frames, without looking for faces",
}


def model_card(
    record: BundleRecord,
    preprocess: Preprocess,
    calibrated: CalibrationRecord,
    provenance: dict[str, Any],
    reference: Reference,
) -> str:
    """Return the card, Markdown."""
    data = provenance["data"]
    mirrored = _FLIP if record.test_time_flip else ""
    return f"""# {record.version}: a deepfake detector

{_DEMO if record.demo else ""}{record.backbone}, {record.features} features, built {record.created}.
It scores faces in pictures and clips: the logit is z_fake - z_real, natural log-odds.

## Intended use

To help a person decide what to look at more closely. It takes {_INPUT[preprocess.input]}.
The network's input is {preprocess.size} x {preprocess.size} pixels{mirrored}. Of a clip, the
frames of `{preprocess.sampling}` are looked at, and its score is the highest mean over
{preprocess.aggregation.window} frames of any face.

## Prohibited use

- As proof, or as the only ground for a decision about a person.
- To call something real: there is no such verdict. Methods that are not known are often missed.
- On other media than those it was made for, or where the licences of its training data forbid it.

## Known failures

- A detector that misses 5 % of the forgeries it was trained on misses a third or more of those of
  an unseen method.
- Strong compression, small or blurred faces, and heavy filters move scores either way.
- A forgery that falls between the frames that are looked at is not seen.
{_UNKNOWN_CROPS if preprocess.input == "crop" else ""}
It does not cover {NOT_COVERED}.

## Calibration

{calibration_card(calibrated)}

## Training data

{_table("data set", data["datasets"], "training rows")}

{_table("licence", data["licences"], "training rows")}

{_methods(data)}

Splits: {data["split_policy"]}; content hash `{data["content_hash"][:16]}`.
{_validation(provenance)}
## Reference

{len(reference.logit):,} pictures of {len(reference.item_logit):,} items of the {reference.split}
split, scored when this was built: what production is compared with.

## Agreement

ONNX against PyTorch, fp32 on the CPU, {record.agreement.onnx_cpu.pictures} pictures: logits differ
by {record.agreement.onnx_cpu.logit:.1e} at most. {_gpu(record)}
"""


def _table(name: str, counts: dict[str, int], what: str) -> str:
    lines = [f"| {key.replace('|', '/')} | {count:,} |" for key, count in counts.items()]
    return "\n".join([f"| {name} | {what} |", "|---|---|", *lines])


def _methods(data: dict[str, Any]) -> str:
    """Return which fakes were trained on, those of the data and those made of real faces."""
    blending, parts = data.get("blending"), []
    if blending is not None:
        made = "Fakes were made of real faces while it was trained (self-blended images)"
        if "pairs" in blending:
            made += (
                f":\nin an epoch {blending['pairs']:,} pairs of a real face and its fake, "
                f"{blending['reals']:,} real faces\nalone, and {blending['fakes']:,} fakes of the "
                "data"
            )
        parts.append(f"{made}.")
    if data["methods"]:
        parts.append(_table("method", data["methods"], "training rows"))
    elif blending is None or blending.get("ratio"):
        parts.append("Methods: not stated.")
    else:
        parts.append("It was trained on no fakes of the data.")
    return "\n\n".join(parts)


def _validation(provenance: dict[str, Any]) -> str:
    training = provenance["training"] or {}
    if training.get("best_score") is None:
        return ""
    return (
        f"\nBest `{training['monitor']}`: {training['best_score']:.4f}, on the split that chose "
        "the checkpoint: no measure of its quality.\n"
    )


def _gpu(record: BundleRecord) -> str:
    found = {"fp32": record.agreement.gpu_fp32, "bf16": record.agreement.gpu_bf16}
    parts = [f"{name} {value.logit:.1e}" for name, value in found.items() if value]
    return f"PyTorch on a GPU: {', '.join(parts)}." if parts else "A GPU was not measured."
