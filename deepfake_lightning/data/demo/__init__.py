"""The demo data set: drawn faces and forgeries of them.

This data set proves that the pipeline works, from files to metrics. It says
nothing about real deepfakes: the faces are drawn, the forgeries are simple,
and a detector that tells them apart has learnt about these drawings only.
"""

from __future__ import annotations

from deepfake_lightning.data.demo.make import is_drawn, make_demo

__all__ = ["is_drawn", "make_demo"]
