"""The bundle: the only thing that crosses from training to everything after it.

A folder of files that any program can read, each with its hash in ``SHA256SUMS``::

    bundle.json              what it is, and how far its ways of running are apart
    model.onnx               float32 [B, 3, S, S] -> logit [B], features [B, F]
    model.safetensors        the same weights for PyTorch; nowhere is a pickle
    preprocess.json          from media to the network's input
    calibration.json         from an item's logit to a verdict; the identity until it is fitted
    golden/                  drawn pictures with the scores they must get
    reference.json, .safetensors   what it said of data like those it was trained for
    provenance.json          configuration, data and their licences, code, machine
    MODEL_CARD.md            what it is for, and what it is not for

``load`` and ``onnx_session`` need no torch; ``build`` and ``export`` do, and are imported by name.
"""

from deepfake_lightning.bundle.checksums import verify
from deepfake_lightning.bundle.load import Bundle, load_bundle

__all__ = ["Bundle", "load_bundle", "verify"]
