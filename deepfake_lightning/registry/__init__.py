"""Versions of detectors: immutable, in order, and with what is known of each.

``mlops/registry/models/v1.0.0/`` is a bundle with two more files, ``registration.json`` (who, when,
why, parent) and ``evaluation.json`` (metrics with intervals). ``mlops/registry/metadata.json``
lists the versions and keeps the history; it can be made anew from the folders. What is deployed is
said by the environments' files alone.

No torch: a version is made of a checkpoint in :mod:`deepfake_lightning.release`.
"""

from deepfake_lightning.registry.deletion import delete_version
from deepfake_lightning.registry.record import Entry, Registration
from deepfake_lightning.registry.registering import Wish, check_wish, register_bundle
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.registry.verification import repair_registry, verify_registry

__all__ = [
    "Entry",
    "Registration",
    "Registry",
    "Wish",
    "check_wish",
    "delete_version",
    "register_bundle",
    "repair_registry",
    "verify_registry",
]
