"""Who is drawn: the parameters that make one demo face differ from another.

Lengths are in face units (1.0 is about a face's half height), colours are
sRGB triples in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Colour = tuple[float, float, float]
HairStyle = Literal["short", "long", "curly", "bob"]

HAIR_STYLES: tuple[HairStyle, ...] = ("short", "long", "curly", "bob")

# Skin reflectances from light to dark; identities take them in turn, so that
# every part of a split holds all of them.
_SKINS: tuple[Colour, ...] = (
    (0.96, 0.80, 0.70),
    (0.78, 0.56, 0.42),
    (0.90, 0.71, 0.57),
    (0.62, 0.43, 0.32),
    (0.86, 0.65, 0.50),
    (0.70, 0.49, 0.36),
)
_HAIRS: tuple[Colour, ...] = (
    (0.13, 0.10, 0.09),
    (0.33, 0.21, 0.13),
    (0.62, 0.45, 0.24),
    (0.20, 0.14, 0.11),
    (0.45, 0.21, 0.11),
    (0.55, 0.54, 0.53),
)
_IRISES: tuple[Colour, ...] = (
    (0.27, 0.16, 0.09),
    (0.30, 0.45, 0.58),
    (0.28, 0.40, 0.25),
    (0.40, 0.27, 0.13),
)


@dataclass(frozen=True)
class Identity:
    """One drawn person: everything that stays the same from clip to clip.

    Attributes:
        name: the identity's name, as in file names and manifest columns.
        texture_seed: seed of the skin's and hair's texture.
        skin, hair, iris, lip: colours, sRGB in [0, 1].
        hair_style: the cut of the hair.
        width: half width of the head, face units.
        jaw: how much the jaw narrows towards the chin, 0 to 1.
        eye_gap, eye_width, eye_height: half distance of the eyes and the half
            axes of an eye, face units.
        brow: half thickness of the eyebrows, face units.
        brow_tilt: how much the eyebrows rise outwards, face units.
        nose: half width of the nose at its tip, face units.
        mouth, lip_height: half width of the mouth and height of one lip, face units.
        hairline: height of the hairline over the forehead, face units.
        beard: darkness of the beard, 0 (none) to 1.
        freckles: whether the skin is freckled.
        glasses: whether glasses are worn.
    """

    name: str
    texture_seed: int
    skin: Colour
    hair: Colour
    iris: Colour
    lip: Colour
    hair_style: HairStyle
    width: float
    jaw: float
    eye_gap: float
    eye_width: float
    eye_height: float
    brow: float
    brow_tilt: float
    nose: float
    mouth: float
    lip_height: float
    hairline: float
    beard: float
    freckles: bool
    glasses: bool


def _near(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    # Mostly lighter or darker, little of another hue: skin stays skin.
    change = rng.normal(0.0, spread) + rng.normal(0.0, spread / 4, 3)
    red, green, blue = np.clip(np.asarray(colour) + change, 0.04, 0.98)
    return float(red), float(green), float(blue)


def draw_identity(seed: int, index: int) -> Identity:
    """Choose the parameters of identity number ``index``.

    Args:
        seed: seed of the data set.
        index: number of the identity, from 0.

    Returns:
        The identity; the same for the same ``seed`` and ``index``, however
        many others there are.
    """
    rng = np.random.default_rng([seed, index])
    skin = _near(rng, _SKINS[index % len(_SKINS)], 0.03)
    style = HAIR_STYLES[int(rng.integers(len(HAIR_STYLES)))]
    bearded = style in ("short", "curly") and rng.random() < 0.45
    return Identity(
        name=f"id{index:02d}",
        texture_seed=int(rng.integers(2**31)),
        skin=skin,
        hair=_near(rng, _HAIRS[int(rng.integers(len(_HAIRS)))], 0.02),
        iris=_near(rng, _IRISES[int(rng.integers(len(_IRISES)))], 0.02),
        lip=_near(rng, (skin[0] * 0.86, skin[1] * 0.60, skin[2] * 0.62), 0.02),
        hair_style=style,
        width=float(rng.uniform(0.74, 0.84)),
        jaw=float(rng.uniform(0.10, 0.30)),
        eye_gap=float(rng.uniform(0.31, 0.36)),
        eye_width=float(rng.uniform(0.145, 0.175)),
        eye_height=float(rng.uniform(0.065, 0.090)),
        brow=float(rng.uniform(0.022, 0.045)),
        brow_tilt=float(rng.uniform(-0.03, 0.06)),
        nose=float(rng.uniform(0.12, 0.17)),
        mouth=float(rng.uniform(0.24, 0.32)),
        lip_height=float(rng.uniform(0.05, 0.085)),
        hairline=float(rng.uniform(-0.72, -0.60)),
        beard=float(rng.uniform(0.35, 0.75)) if bearded else 0.0,
        freckles=bool(rng.random() < 0.25),
        glasses=bool(rng.random() < 0.15),
    )
