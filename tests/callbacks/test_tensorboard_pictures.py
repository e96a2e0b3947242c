import io

import numpy as np
import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib import image as pictures
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator
from torch.utils.data import DataLoader

from deepfake_lightning.callbacks import TensorBoardPictures, tensorboard_pictures
from deepfake_lightning.errors import UsageError

PLOTS = {"val/roc", "val/reliability", "val/scores"}
FACES = {"augmented batch", "val/worst mistakes"}


@pytest.fixture
def logged(make_split_faces, make_data, make_detector, make_trainer, tmp_path):
    """Train, and return what TensorBoard has: tag -> steps and decoded pictures."""

    def fit(callback, **options):
        logger = TensorBoardLogger(str(tmp_path / "logs"))
        trainer = make_trainer(callback, logger=logger, **options)
        trainer.fit(make_detector(), make_data(make_split_faces()))
        events = EventAccumulator(logger.log_dir, size_guidance={IMAGES: 0}).Reload()
        return {
            tag: {
                event.step: pictures.imread(io.BytesIO(event.encoded_image_string), "png")
                for event in events.Images(tag)
            }
            for tag in events.Tags()["images"]
        }

    return fit


def test_no_face_is_logged_unless_asked_for(logged):
    assert logged(TensorBoardPictures()).keys() == PLOTS


@pytest.mark.slow
def test_plots_come_after_each_validation(logged):
    found = logged(TensorBoardPictures(), max_epochs=3, num_sanity_val_steps=1)
    assert {tag: list(steps) for tag, steps in found.items()} == {tag: [2, 4, 6] for tag in PLOTS}
    for steps in found.values():
        for picture in steps.values():
            assert picture.shape[:2] == (480, 640)
            assert picture.std() > 0.05, "it is not blank"


def test_epochs_can_be_left_out(logged):
    found = logged(TensorBoardPictures(every_n_epochs=2), max_epochs=4)
    assert list(found["val/roc"]) == [2, 6]


def test_faces_show_the_pictures(logged):
    found = logged(TensorBoardPictures(faces=True))
    assert found.keys() == PLOTS | FACES
    (picture,) = found["augmented batch"].values()
    pixels = (picture[..., :3].reshape(-1, 3) * 255).round()
    reds = (pixels[:, 0] >= 150) & (pixels[:, 0] < 170) & (pixels[:, 1] < 20)
    assert reds.sum() > 2000, "the fakes of the data set are red"


def test_plots_are_of_the_validation_that_just_ended(logged, monkeypatch):
    drawn, kept = [], []
    original = tensorboard_pictures.roc_figure
    monkeypatch.setattr(
        tensorboard_pictures, "roc_figure", lambda z, y: drawn.append(z) or original(z, y)
    )

    class Watch(TensorBoardPictures):
        def on_train_epoch_end(self, trainer, model):
            kept.append(model.epoch_scores["val"].logit)

    logged(Watch(), max_epochs=2)
    assert len(drawn) == len(kept) == 2
    for one, other in zip(drawn, kept, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(*drawn)


def test_the_worst_mistakes_are_mistakes_and_come_first(
    logged, monkeypatch, make_split_faces, make_data, make_detector, make_trainer
):
    shown = {}
    original = tensorboard_pictures.contact_sheet

    def keep(images, captions, columns):
        shown[len(shown)] = (images, list(captions))
        return original(images, captions, columns)

    monkeypatch.setattr(tensorboard_pictures, "contact_sheet", keep)
    data, detector = (
        make_data(make_split_faces({"train": 4, "val": 12}), batch_size=3),
        make_detector(),
    )
    trainer = make_trainer(TensorBoardPictures(faces=True, count=4), max_epochs=0)
    trainer.fit(detector, data)
    detector.head.weight.data *= 100
    trainer = make_trainer()
    trainer.validate(detector, data, verbose=False)
    scores = detector.epoch_scores["val"]
    wrong = (scores.logit >= 0) != (scores.label == 1)
    assert 0 < wrong.sum() < len(scores)
    TensorBoardPictures(faces=True, count=4)._mistakes(trainer, scores)
    images, captions = shown[0]
    assert len(images) == min(4, wrong.sum())
    order = np.argsort(-np.abs(scores.logit[wrong]))[: len(images)]
    rows = scores.row[wrong][order]
    names = [data.manifest.rows["path"].iloc[row] for row in rows]
    assert [caption.splitlines()[-1] for caption in captions] == names
    assert [int(image[0, 0, 1]) for image in images] == rows.tolist()  # grey n is row n
    right = scores.select(~wrong)
    TensorBoardPictures(faces=True)._mistakes(trainer, right)
    assert shown[1][1] == [], "a network without mistakes has none to show"


def test_faces_need_a_manifest(make_detector, make_trainer):
    trainer = make_trainer(TensorBoardPictures(faces=True))
    with pytest.raises(UsageError, match="DeepfakeDataModule"):
        trainer.fit(make_detector(), DataLoader([0]))
