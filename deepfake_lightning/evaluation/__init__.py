"""Evaluation of a detector: what is measured on a split and how it is shown."""
