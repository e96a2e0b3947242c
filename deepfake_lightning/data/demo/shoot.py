"""Which clips the demo set holds: who is drawn, and whose face is forged how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deepfake_lightning.data.demo.clips import finish
from deepfake_lightning.data.demo.draw import Frame, draw_clip
from deepfake_lightning.data.demo.forge import Image, forge_clip
from deepfake_lightning.data.demo.identity import Identity, draw_identity
from deepfake_lightning.data.demo.portrait import paint_portrait
from deepfake_lightning.data.demo.recipe import METHODS, Method, draw_recipe

# What a generator is for, so that no two share their numbers.
_SHOT, _REAL, _FAKE = 1, 2, 3


@dataclass(frozen=True)
class Clip:
    """One clip that is to be written, with what its manifest rows say.

    Attributes:
        stem: path without suffix, relative to the folder of clips.
        label: 0 real, 1 fake.
        group: cluster of identities that the clip belongs to.
        target, source: whose picture it is, and whose face was used for a fake.
        method: how a fake was forged.
        frames: (H, W, 3) uint8 RGB frames.
    """

    stem: str
    label: int
    group: str
    target: Identity
    source: Identity | None
    method: Method | None
    frames: list[Image]


def clusters(identities: int) -> list[list[int]]:
    """Numbers of the identities by twos; three in the last cluster if need be."""
    pairs = [[start, start + 1] for start in range(0, identities - 1, 2)]
    if identities % 2:
        pairs[-1].append(identities - 1)
    return pairs


def clips_of(
    members: list[int], clips: int, frames: int, seed: int, methods: Sequence[Method] = METHODS
) -> Iterator[Clip]:
    """The real and fake clips of one cluster, as yet unwritten.

    Args:
        members: numbers of the cluster's identities, two or three.
        clips: real clips of each identity, and fakes of each.
        frames: frames of each clip.
        seed: seed of the data set.
        methods: of forgery, which take turns.

    Yields:
        A real clip, then the fake forged from the same drawing, and so on.
    """
    group = f"cluster{members[0] // 2:02d}"
    people = [draw_identity(seed, index) for index in members]
    portraits = [paint_portrait(person) for person in people]
    for clip in range(clips):
        shots = [
            draw_clip(portrait, np.random.default_rng([seed, index, clip, _SHOT]), frames)
            for portrait, index in zip(portraits, members, strict=True)
        ]
        for place, index in enumerate(members):
            other = (place + 1) % len(members)
            rng = np.random.default_rng([seed, index, clip, _REAL])
            who, shot = people[place], shots[place]
            plain = finish([frame.image for frame in shot], rng)
            stem = f"real/{who.name}_{clip}"
            yield Clip(stem, 0, group, who, None, None, plain)
            method = methods[(index + clip) % len(methods)]
            forged = _forge(shot, shots[other], method, seed, index, clip)
            stem = f"fake/{method}/{who.name}_{people[other].name}_{clip}"
            yield Clip(stem, 1, group, who, people[other], method, forged)


def _forge(
    shot: list[Frame], source: list[Frame], method: Method, seed: int, index: int, clip: int
) -> list[Image]:
    rng = np.random.default_rng([seed, index, clip, _FAKE])
    # Each identity's clips, and each clip number's identities, take turns.
    recipe = draw_recipe(rng, method, turn=index + clip)
    return finish(forge_clip(shot, source, recipe, rng), rng)
