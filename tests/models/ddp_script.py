"""Measure and train a tiny detector with one or two processes; write what was logged as JSON.

Run as ``python ddp_script.py PROCESSES OUTPUT``.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback, LightningDataModule, Trainer
from torch.utils.data import DataLoader, DistributedSampler

from deepfake_lightning.callbacks import Interruption
from deepfake_lightning.models import DeepfakeDetector
from deepfake_lightning.models.scores import ScoreTable
from deepfake_lightning.schemas import Aggregation, Preprocess

CLIPS, FRAMES = 9, 3  # 27 pictures: odd, and in batches of 4 the last is short


class Clips(LightningDataModule):
    def __init__(self):
        super().__init__()
        self.preprocess = Preprocess(size=32, aggregation=Aggregation(window=2))
        generator = torch.Generator().manual_seed(0)
        self.samples = []
        for row in range(CLIPS * FRAMES):
            label = int(row // FRAMES % 3 == 0)
            image = torch.randn(3, 32, 32, generator=generator) + 0.3 * label
            values = {"label": label, "row": row, "track": -1, "frame": row % FRAMES}
            tensors = {name: torch.tensor(value) for name, value in values.items()}
            self.samples.append({"image": image, **tensors})

    def items(self):
        return np.arange(len(self.samples)) // FRAMES

    def class_counts(self, split):
        return np.bincount([int(sample["label"]) for sample in self.samples])

    def train_dataloader(self):
        return DataLoader(self.samples, batch_size=4, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.samples, batch_size=4)

    test_dataloader = val_dataloader


class SharedBatches(Clips):
    """Batches of eight, of which two processes have the halves."""

    def train_dataloader(self):
        parts, rank = self.trainer.world_size, self.trainer.global_rank
        sampler = DistributedSampler(self.samples, parts, rank)
        return DataLoader(self.samples, 8 // parts, sampler=sampler, drop_last=True)


class Told(Callback):
    """The last process gets a signal in its third step."""

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == 2 and trainer.global_rank == trainer.world_size - 1:
            signal.raise_signal(signal.SIGTERM)


def trainer(processes, **options):
    parallel = {"strategy": "ddp", "devices": processes} if processes > 1 else {"devices": 1}
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **parallel,
        **options,
    )


def uneven(rank):
    """Return how many pictures are known where only the first process has scored any."""
    table = ScoreTable()
    if rank == 0:
        keys = {name: torch.arange(3) for name in ("row", "track", "frame", "label")}
        table.update(keys, torch.randn(3, 2))
    return table.scores().row.tolist()


def trained_alike(processes):
    """Return the sizes of all weights of a network without batch normalisation after some steps."""
    torch.manual_seed(0)
    options = {"drop_rate": 0.0, "optimizer": "sgd", "lr": 0.05}
    detector = DeepfakeDetector("test_convnext", pretrained=False, **options)
    trainer(processes, max_epochs=2, limit_val_batches=0).fit(detector, SharedBatches())
    return [float(weights.detach().norm()) for weights in detector.parameters()]


def stopped(processes):
    """Return after how many steps each process ends, and whether there is a checkpoint."""
    interruption = Interruption()
    fit = trainer(processes, max_epochs=50, limit_val_batches=0, callbacks=[interruption, Told()])
    detector = DeepfakeDetector("test_efficientnet", pretrained=False)
    try:
        fit.fit(detector, Clips())
    except SystemExit:
        steps = [None] * processes
        torch.distributed.all_gather_object(steps, fit.global_step)
        return {"steps": steps, "saved": interruption.saved.is_file()}


def main(processes, output):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    options = {"class_weights": "balanced", "label_smoothing": 0.1}
    detector = DeepfakeDetector("test_efficientnet", pretrained=False, **options)
    measure = trainer(processes)
    result = {
        "val": measure.validate(detector, Clips(), verbose=False)[0],
        "test": measure.test(detector, Clips(), verbose=False)[0],
        "pictures": len(detector.epoch_scores["test"]),
        "uneven": uneven(measure.global_rank),
    }
    fit = trainer(processes, max_epochs=2, num_sanity_val_steps=0)
    fit.fit(detector, Clips())
    result["fit"] = {name: float(value) for name, value in fit.callback_metrics.items()}
    result["trained_pictures"] = len(detector.epoch_scores["train"])
    result["weights"] = trained_alike(processes)
    losses = [None] * processes
    if processes > 1:
        torch.distributed.all_gather_object(losses, result["fit"])
        result["agree"] = losses[0] == losses[1]
        result["stopped"] = stopped(processes)
    if fit.is_global_zero:
        Path(output).write_text(json.dumps(result), encoding="utf-8")


def split():
    """Become two processes for Lightning, the second without the imports that take most of it.

    Returns:
        the second's id in the first one, 0 in the second.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    second = os.fork()  # what is used from here on has started no thread yet
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ.update(place, LOCAL_RANK="0" if second else "1")
    return second


if __name__ == "__main__":
    second = split() if sys.argv[1] == "2" else 0
    main(int(sys.argv[1]), sys.argv[2])
    if second:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]))
    os._exit(0)  # libraries wait at their end for threads that only the first process has
