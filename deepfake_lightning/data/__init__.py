"""From a manifest, a folder or an index to seeded, split, augmented batches."""

import deepfake_lightning.media  # noqa: F401  (first: it bounds what OpenCV, imported next, allocates)
