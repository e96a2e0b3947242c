import time

import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from torch.utils.data import DataLoader, Dataset

from deepfake_lightning.callbacks import StepTime

NAP = 0.03
KEYS = {"time/data_ms", "time/compute_ms", "time/data_share", "time/images_per_second"}


class Pictures(Dataset):
    def __init__(self, nap):
        self.nap = nap

    def __len__(self):
        return 16

    def __getitem__(self, index):
        time.sleep(self.nap / 2)  # two pictures in a batch
        return {"image": torch.zeros(3, 4, 4)}


class Model(LightningModule):
    def __init__(self, nap):
        super().__init__()
        self.nap = nap
        self.layer = torch.nn.Linear(48, 1)

    def training_step(self, batch, _):
        time.sleep(self.nap)
        return self.layer(batch["image"].flatten(1)).sum()

    def validation_step(self, *_):
        time.sleep(0.2)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def _fit(make_trainer, data_nap, model_nap, *callbacks, **options):
    loader = DataLoader(Pictures(data_nap), batch_size=2)
    trainer = make_trainer(StepTime(every_n_steps=3), *callbacks, **options)
    trainer.fit(Model(model_nap), loader, DataLoader(Pictures(0), batch_size=16))
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def test_a_slow_loader_is_told_from_a_slow_network(make_trainer):
    nap = 5 * NAP  # what takes no time may be kept waiting, where others compute
    slow_data, slow_model = _fit(make_trainer, nap, 0), _fit(make_trainer, 0, nap)
    assert slow_data.keys() >= KEYS
    assert slow_data["time/data_ms"] >= 1000 * nap > slow_data["time/compute_ms"]
    assert slow_data["time/data_share"] > 0.6
    assert slow_model["time/compute_ms"] >= 1000 * nap > slow_model["time/data_ms"]
    assert slow_model["time/data_share"] < 0.4


def test_throughput_is_of_the_whole_step(make_trainer):
    times = _fit(make_trainer, NAP, NAP)
    whole = (times["time/data_ms"] + times["time/compute_ms"]) / 1000
    assert times["time/images_per_second"] == pytest.approx(2 / whole, rel=1e-3)
    assert times["time/images_per_second"] < 1 / NAP


def test_validation_within_an_epoch_is_no_wait_for_data(make_trainer):
    seen = []

    class Collect(Callback):
        def on_train_batch_end(self, trainer, *_):
            seen.append(float(trainer.callback_metrics.get("time/data_ms", 0)))

    _fit(make_trainer, 0, 0, Collect(), val_check_interval=2)
    assert max(seen) > 0
    assert max(seen) < 50


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_it_is_the_time_of_the_gpu(make_trainer):
    class Sleeper(Model):
        def training_step(self, batch, index):
            torch.cuda._sleep(50_000_000)  # clock cycles: 20 ms or more, and this does not wait
            return super().training_step(batch, index)

    sent = []

    class Sent(Callback):
        def on_train_batch_end(self, *_):
            sent.append(time.perf_counter())

    trainer = make_trainer(StepTime(every_n_steps=7), Sent(), accelerator="gpu")
    trainer.fit(Sleeper(0), DataLoader(Pictures(0), batch_size=2))
    times = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert times["time/compute_ms"] > 20 > 5 > times["time/data_ms"]
    # Steps were sent before the ones before them were done.
    assert sent[4] - sent[1] < 0.045
