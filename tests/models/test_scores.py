import numpy as np
import pytest
import torch

from deepfake_lightning.models.scores import ScoreTable


def _batch(keys, labels=None):
    row, track, frame = torch.tensor(keys, dtype=torch.int64).reshape(-1, 3).T
    label = torch.zeros_like(row) if labels is None else torch.tensor(labels)
    return {"row": row, "track": track, "frame": frame, "label": label}


def _pairs(differences):
    """Return logits whose difference fake - real is given."""
    values = torch.tensor(differences)
    return torch.stack([1 - values, torch.ones_like(values)], dim=1)


def test_scores_come_ordered_by_row_track_and_frame():
    table = ScoreTable()
    table.update(_batch([[2, 0, 0], [0, 1, 5], [0, 1, 3]], [1, 0, 0]), _pairs([1.0, 2.0, 3.0]))
    table.update(_batch([[0, 0, 9], [1, -1, -1]], [0, 1]), _pairs([4.0, 5.0]))
    scores = table.scores()
    assert scores.row.tolist() == [0, 0, 0, 1, 2]
    assert scores.track.tolist() == [0, 1, 1, -1, 0]
    assert scores.frame.tolist() == [9, 3, 5, -1, 0]
    assert scores.label.tolist() == [0, 0, 0, 1, 1]
    assert scores.logit.tolist() == [4, 3, 2, 5, 1]
    assert scores.row.dtype == scores.label.dtype == np.int64
    assert scores.logit.dtype == np.float64


@pytest.mark.parametrize(("unique", "kept"), [(True, [0.5, 1.5, 2.5, 3.5]), (False, None)])
def test_a_picture_counts_once_told_by_row_track_and_frame(unique, kept):
    keys = [[1, 0, 0], [1, 0, 1], [1, 1, 0], [2, 0, 0]]
    table = ScoreTable(unique=unique)
    table.update(_batch(keys), _pairs([0.5, 1.5, 2.5, 3.5]))
    table.update(_batch(keys[:2]), _pairs([0.5, 1.5]))
    expected = kept or [0.5, 0.5, 1.5, 1.5, 2.5, 3.5]
    assert table.scores().logit.tolist() == expected


def test_one_picture_is_a_table_of_one_row():
    table = ScoreTable()
    table.update(_batch([[4, -1, 2]], [1]), _pairs([0.25]))
    scores = table.scores()
    assert (scores.row.tolist(), scores.frame.tolist(), scores.logit.tolist()) == ([4], [2], [0.25])


@pytest.mark.filterwarnings("error")
def test_an_empty_table_is_empty():
    scores = ScoreTable().scores()
    assert len(scores) == len(scores.labelled()) == 0
    assert scores.row.dtype == np.int64


def test_a_reset_table_has_forgotten():
    table = ScoreTable()
    table.update(_batch([[0, 0, 0], [1, 0, 0]]), _pairs([1.0, 2.0]))
    assert len(table.scores()) == 2
    table.reset()
    table.update(_batch([[7, 0, 0]]), _pairs([3.0]))
    assert table.scores().row.tolist() == [7]


def test_labelled_leaves_out_what_nobody_knows():
    table = ScoreTable()
    table.update(_batch([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [1, -1, 0]), _pairs([1.0, 2.0, 3.0]))
    assert table.scores().labelled().row.tolist() == [0, 2]


def test_differences_of_half_precision_keep_their_digits():
    table = ScoreTable()
    logits = torch.tensor([[-1.0078125, 300.0]], dtype=torch.bfloat16)
    table.update(_batch([[0, 0, 0]]), logits)
    assert table.scores().logit.tolist() == [301.0078125]


def test_items_without_a_picture_are_kept_beside_the_scores():
    table = ScoreTable()
    nothing = torch.zeros(0, 2)
    table.update({**_batch([]), "lost": torch.tensor([[7, 1], [9, 2]])}, nothing)
    table.update(_batch([[3, 0, 0]], [1]), _pairs([0.5]))
    table.update({**_batch([[4, 0, 0]], [1]), "lost": torch.tensor([[7, 1]])}, _pairs([1.5]))
    scores = table.scores()
    assert scores.row.tolist() == [3, 4]
    assert scores.lost == {7: "no_face", 9: "unreadable"}
    assert scores.labelled().lost == scores.lost
    table.reset()
    table.update({**_batch([]), "lost": torch.tensor([[7, 1]])}, nothing)
    assert (len(table.scores()), table.scores().lost) == (0, {7: "no_face"})
