"""Where versions are kept on an MLflow server: an experiment, and a registered model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry.mirror.records import DIGEST, VERSION
from deepfake_lightning.registry.record import Entry

_NAME = re.compile(r"\w[\w. -]{0,199}")


@dataclass(frozen=True)
class Names:
    """What things are called on the server.

    Attributes:
        experiment: of the runs.
        model: the registered model, whose versions the versions are.

    Raises:
        UsageError: the model cannot be called so.
    """

    experiment: str = "deepfake-detector"
    model: str = "deepfake-detector"

    def __post_init__(self) -> None:
        check_model(self.model)


class Place:
    """The experiment and the model on the server, made where they are not there."""

    def __init__(self, client: Any, names: Names) -> None:
        self.client = client
        self.model = names.model
        found = client.get_experiment_by_name(names.experiment)
        self.experiment = (
            found.experiment_id if found else client.create_experiment(names.experiment)
        )
        if not client.search_registered_models(f"name = '{names.model}'"):
            client.create_registered_model(
                names.model, description="A mirror of a deepfake_lightning registry."
            )

    def run_of(self, entry: Entry) -> Any:
        """Return the run of a version, the first there is, or a new one."""
        found = self.client.search_runs(
            [self.experiment],
            f"tags.`{DIGEST}` = '{entry.digest}' and tags.`{VERSION}` = '{entry.version}'",
            order_by=["attributes.start_time ASC"],
        )
        if found:
            return found[0]
        began = datetime.fromisoformat(entry.registration.registered)
        return self.client.create_run(
            self.experiment, int(began.timestamp() * 1000),
            {DIGEST: entry.digest, VERSION: entry.version}, entry.version,
        )  # fmt: skip

    def versions(self) -> dict[str, Any]:
        """Return digest -> version of the model."""
        return {one.tags[DIGEST]: one for one in model_versions(self.client, self.model)}


def check_model(name: str) -> None:
    """Refuse a name that a question to the server could not hold.

    Raises:
        UsageError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a registered model",
            next_step="use letters, digits, '.', '_', '-' and spaces",
        )


def model_versions(client: Any, model: str) -> list[Any]:
    """Return the versions of a model that are mirrors, the first of each digest last."""
    found: list[Any] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{model}'", page_token=token)
        found += [one for one in page if DIGEST in one.tags and VERSION in one.tags]
        token = page.token
        if not token:
            return sorted(found, key=lambda one: int(one.version), reverse=True)
