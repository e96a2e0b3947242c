"""What serves, as an MLflow server tells it: tags of versions, aliases of the model."""

from __future__ import annotations

import re

from deepfake_lightning.registry.aliases import aliases_of, read_environments
from deepfake_lightning.registry.mirror.place import Place
from deepfake_lightning.registry.mirror.records import SERVES
from deepfake_lightning.registry.store import Registry
from deepfake_lightning.schemas.environment import EnvironmentRecord

_RESERVED = re.compile(r"v\d+|latest", re.IGNORECASE)


def tell_what_serves(registry: Registry, place: Place) -> None:
    """Let tags and aliases say what serves where; those of others' versions are left alone.

    An alias is an environment's name, at the version with the largest share there. MLflow reserves
    some names, and has one version an alias: the tag of each version says all of it.
    """
    environments = read_environments(registry.workspace.environments)
    serves = aliases_of(environments)
    there = place.versions()
    mine = {one.version: there[one.digest] for one in registry.entries() if one.digest in there}
    for version, one in mine.items():
        said = ", ".join(serves.get(version, ()))
        if one.tags.get(SERVES, "") != said:
            place.client.set_model_version_tag(place.model, one.version, SERVES, said)
    aliases = place.client.get_registered_model(place.model).aliases
    numbers = {str(one.version) for one in mine.values()}
    for name, record in environments.items():
        if _RESERVED.fullmatch(name):
            continue
        main, now = mine.get(_main(record) or ""), aliases.get(name)
        if main is not None and str(now) != str(main.version):
            place.client.set_registered_model_alias(place.model, name, main.version)
        elif main is None and str(now) in numbers:
            place.client.delete_registered_model_alias(place.model, name)


def _main(record: EnvironmentRecord) -> str | None:
    return max(record.serving, key=lambda one: one.share).version if record.serving else None
