"""A detector that is small and real: its engine decodes, and it scores how bright a picture is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from deepfake_lightning.inference import Engine
from deepfake_lightning.schemas import Calibration, Preprocess
from deepfake_lightning.schemas.calibration import ItemCalibration
from deepfake_lightning.serving.fleet.following import FixedFleet
from deepfake_lightning.serving.fleet.lineup import Lineup, Network, Served, batcher_of
from deepfake_lightning.serving.telemetry.metrics import Metrics

FAULTY, NO_NUMBER = 13, 14  # brightness of pictures on which it fails, or gives no number
PREPROCESS = Preprocess(input="whole", size=16, mean=(0, 0, 0), std=(1, 1, 1))
_FITTED = ItemCalibration(indicated_from=0.0, clear_below=0.0, items=10)


class Brightness:
    """Stands for any network: bright pictures are fake.

    ``may_go`` holds all runs while it is not set; ``batches`` are the sizes of those that were
    begun, and ``at_once`` how many ran at a time, at most.
    """

    name, device = "brightness", "cpu"

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.may_go.set()
        self.batches: list[int] = []
        self.at_once = self._now = 0
        self._lock = threading.Lock()

    def run(self, images):
        with self._lock:
            self._now += 1
            self.at_once = max(self.at_once, self._now)
            self.batches.append(len(images))
        try:
            assert self.may_go.wait(20)
            means = images.mean(axis=(1, 2, 3)) * 255
            if (np.rint(means) == FAULTY).any():
                raise ZeroDivisionError("secret detail")
            logits = np.where(np.rint(means) == NO_NUMBER, np.nan, means / 64 - 2)
            features = np.stack([means, means], axis=1)
            return logits.astype(np.float32), features.astype(np.float32)
        finally:
            with self._lock:
                self._now -= 1


def served(
    network: Brightness, version: str = "v0.0.1", *, is_demo: bool = False, slots: int = 2,
    most: int = 4, preprocess: Preprocess = PREPROCESS,
) -> Served:  # fmt: skip
    """Return it as a version that serves."""
    engine = Engine(
        network, preprocess, Calibration(image=_FITTED, video=_FITTED), version=version,
        digest="ab" * 32, is_demo=is_demo,
    )  # fmt: skip
    place = Network(ThreadPoolExecutor(slots), slots, most, "cpu", Metrics())
    reference = (np.zeros(2, np.float32), np.eye(2, dtype=np.float32))
    return Served(engine, batcher_of(engine, place), None, reference)


def fleet_of(*versions: Served, shadow: tuple[Served, ...] = ()) -> FixedFleet:
    """Return a fleet in which versions have equal shares."""
    return FixedFleet(
        Lineup("production" if shadow or len(versions) > 1 else None, "test", versions,
               (1 / len(versions),) * len(versions), shadow)
    )  # fmt: skip
