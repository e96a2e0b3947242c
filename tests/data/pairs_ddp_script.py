"""Train on pairs with two processes; each writes what it was shown as JSON.

Run as ``python pairs_ddp_script.py FACES FOLDER``.
"""

import json
import sys
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer

from deepfake_lightning import DeepfakeDataModule
from deepfake_lightning.data.blending import Blending


class Looker(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.seen = []

    def training_step(self, batch, _):
        fakes = batch["image"].flatten(1).mean(dim=1).tolist()
        self.seen.append({
            "epoch": self.current_epoch, "row": batch["row"].tolist(),
            "label": batch["label"].tolist(), "mean": fakes,
        })  # fmt: skip
        logits = self.layer(batch["image"].mean(dim=(2, 3)))
        return torch.nn.functional.cross_entropy(logits, batch["label"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def main(faces, folder):
    torch.set_num_threads(1)
    data = DeepfakeDataModule(
        faces, batch_size=4, image_size=32, num_workers=0, seed=3, blending=Blending(),
        splits={"train": 0.5, "val": 0.25, "test": 0.25},
    )  # fmt: skip
    trainer = Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        limit_val_batches=0,
    )  # fmt: skip
    network = Looker()
    trainer.fit(network, datamodule=data)
    Path(folder, f"{trainer.global_rank}.json").write_text(json.dumps(network.seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
