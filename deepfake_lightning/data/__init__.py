"""From a manifest, a folder or an index to seeded, split, augmented batches."""
