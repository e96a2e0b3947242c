"""Review: a random sample of the traffic, and what people say of it.

- ``policy``: how many requests are drawn, and which more often.
- ``sampling``: the draw itself, a hash of the request's id; pure.
- ``opinions``: what several reviewers agree on, and what a request waits for; pure.
- ``queue``: the drawn requests, and how many wait.
- ``giving``: one opinion into the log.
- ``importing``, ``labels_file``: many from a file.
- ``workload``: how many reviews a day a policy means.
- ``media_files``, ``keeping``: what was sent, kept for reviewers where the operator wants it.
"""

from deepfake_lightning.monitoring.review.giving import give_opinion
from deepfake_lightning.monitoring.review.media_files import media_folder
from deepfake_lightning.monitoring.review.opinions import opinions, settled, state_of
from deepfake_lightning.monitoring.review.policy import ReviewPolicy, policy_of
from deepfake_lightning.monitoring.review.queue import (
    ReviewItem,
    find_item,
    queue_counts,
    review_queue,
)
from deepfake_lightning.monitoring.review.sampling import chance_of, drawing, drawn

__all__ = [
    "ReviewItem",
    "ReviewPolicy",
    "chance_of",
    "drawing",
    "drawn",
    "find_item",
    "give_opinion",
    "media_folder",
    "opinions",
    "policy_of",
    "queue_counts",
    "review_queue",
    "settled",
    "state_of",
]
