"""Train until somebody presses Ctrl-C. Run as ``python interrupted_script.py ROOT``."""

import sys
from pathlib import Path

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from deepfake_lightning.callbacks import Interruption
from deepfake_lightning.data.datamodule import DeepfakeDataModule
from deepfake_lightning.models import DeepfakeDetector


class Announce(Callback):
    """Say when the third step is done, so that the signal comes in the middle of an epoch."""

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 3:
            sys.stdout.write("step 3\n")
            sys.stdout.flush()


def main(root):
    data = DeepfakeDataModule(
        str(root / "faces"), batch_size=2, image_size=32, num_workers=1, augment=False
    )
    trainer = Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(str(root), "run", ""),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=100_000,
        callbacks=[Announce(), Interruption()],
    )
    trainer.fit(DeepfakeDetector("test_efficientnet", pretrained=False), data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
