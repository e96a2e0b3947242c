"""The still layers of a drawn identity: albedo, coverage and surface normals.

A portrait is painted once per identity on a canvas somewhat larger than a
frame; :mod:`.draw` adds eyes, mouth, light and motion frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepfake_lightning.data.demo.canvas import (
    EYE_LEVEL,
    MOUTH_LEVEL,
    bump,
    canvas_grid,
    coverage,
    noise,
    paint,
)
from deepfake_lightning.data.demo.identity import FloatArray, Identity
from deepfake_lightning.data.demo.relief import (
    crown_radius,
    head_radius,
    occlusion,
    surface_normals,
)


@dataclass(frozen=True)
class Portrait:
    """The layers that do not change from frame to frame.

    Attributes:
        identity: who is drawn.
        albedo: (CANVAS, CANVAS, 3) float32, unlit sRGB in [0, 1].
        alpha: (CANVAS, CANVAS) float32 in [0, 1], 0 where the background shows.
        normals: (CANVAS, CANVAS, 3) float32 unit vectors (u, v, towards the viewer).
        occlusion: (CANVAS, CANVAS) float32 in (0, 1], light lost in folds and shadows.
    """

    identity: Identity
    albedo: FloatArray
    alpha: FloatArray
    normals: FloatArray
    occlusion: FloatArray


def _hair_texture(identity: Identity, rng: np.random.Generator) -> FloatArray:
    """(CANVAS, CANVAS, 3) hair colour with strands, or with curls."""
    if identity.hair_style == "curly":
        strands = noise(rng, 3.0, 3.0) + 0.6 * noise(rng, 7.0, 7.0)
    else:
        strands = noise(rng, 1.0, 14.0) + 0.8 * noise(rng, 4.0, 30.0)
    tone = 1.0 + 0.16 * strands[..., None]
    return np.asarray(np.clip(np.asarray(identity.hair) * tone, 0.0, 1.0), dtype=np.float32)


def _hair_behind(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray | None:
    if identity.hair_style == "long":
        return coverage(((np.abs(u) / 1.05) ** 3 + (np.abs(v - 0.15) / 1.45) ** 3) - 1.0, 1.5)
    if identity.hair_style == "bob":
        return coverage(((np.abs(u) / 1.02) ** 3 + (np.abs(v + 0.15) / 1.12) ** 3) - 1.0, 1.5)
    return None


def _hair_front(
    identity: Identity, u: FloatArray, v: FloatArray, rng: np.random.Generator
) -> FloatArray:
    crown = crown_radius(identity, u, v)
    reach = {"short": 0.75, "long": 0.95, "curly": 0.85, "bob": 0.95}[identity.hair_style]
    parting = float(rng.uniform(-0.35, 0.35))
    fringe = identity.hairline - 0.06 + reach * np.abs(u - parting * (1 - np.abs(u))) ** 2.2
    if identity.hair_style in ("short", "curly"):
        fringe = np.maximum(fringe, np.where(np.abs(u) > 0.92 * identity.width, -0.1, -2.0))
    wave = noise(rng, 5.0, 5.0) * (0.035 if identity.hair_style == "curly" else 0.008)
    cap = coverage(np.asarray(crown - 1.0 + wave, dtype=np.float32), 1.5)
    return cap * coverage(np.asarray(v - fringe + wave, dtype=np.float32), 3.0)


def _skin(identity: Identity, u: FloatArray, v: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(CANVAS, CANVAS, 3) skin with blotches, blush, freckles and a beard."""
    tone = 1.0 + 0.018 * noise(rng, 9.0, 9.0) + 0.022 * noise(rng, 1.2, 1.2)
    skin = np.asarray(identity.skin, dtype=np.float32) * tone[..., None].astype(np.float32)
    blush = sum(bump(u, v, (side * 0.45, 0.22), 0.17, 0.13) for side in (-1.0, 1.0))
    skin[..., 1:] *= (1.0 - 0.12 * np.asarray(blush))[..., None]
    if identity.freckles:
        specks = np.clip(noise(rng, 1.6, 1.6) - 1.7, 0.0, 0.6)
        region = np.clip(np.asarray(blush) + bump(u, v, (0.0, 0.1), 0.15, 0.15), 0.0, 1.0)
        skin *= (1.0 - 0.5 * specks * region)[..., None]
    if identity.beard:
        radius = head_radius(identity, u, v)
        jaw = np.clip((radius - 0.52) / 0.15, 0.0, 1.0) * np.clip((v - 0.22) / 0.25, 0.0, 1.0)
        lip = bump(u, v, (0.0, MOUTH_LEVEL - 0.15), 0.22, 0.05)
        strength = identity.beard * np.clip(jaw + lip, 0.0, 1.0)
        strength *= np.clip((1.06 - radius) / 0.06, 0.0, 1.0)  # none on the neck
        strength *= np.clip(0.85 + 0.2 * noise(rng, 1.0, 2.0), 0.0, 1.0)
        paint(skin, strength.astype(np.float32), identity.hair)
    return skin


def _brows(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray:
    cover = np.zeros_like(u)
    for side in (-1.0, 1.0):
        x = (side * u - identity.eye_gap) / (identity.eye_width * 1.35)
        middle = EYE_LEVEL - 0.235 + 0.05 * x**2 - identity.brow_tilt * x
        taper = identity.brow * (1.0 - 0.35 * x)
        edge = np.maximum(np.abs(v - middle) - taper, 0.25 * (np.abs(x) - 1.0))
        cover = np.maximum(cover, coverage(np.asarray(edge, dtype=np.float32), 3.0))
    return cover


def _nose(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray:
    """Darkness of the nostrils and the wings' folds, 0 to 1."""
    dark = np.zeros_like(u)
    for side in (-1.0, 1.0):
        dark += 0.85 * bump(u, v, (side * identity.nose * 0.48, 0.315), 0.036, 0.017)
        dark += 0.28 * bump(u, v, (side * identity.nose * 1.12, 0.26), 0.018, 0.06)
    return np.clip(dark, 0.0, 1.0)


def _body(identity: Identity, u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    neck = np.maximum(np.abs(u) - 0.42 - 0.25 * np.maximum(v - 1.2, 0.0) ** 2, 0.5 - v)
    shirt = 1.30 + 0.22 * u**2 - v + 0.28 * np.exp(-((u / 0.35) ** 2))
    return (
        coverage(np.asarray(neck, dtype=np.float32), 1.5),
        coverage(np.asarray(shirt, dtype=np.float32), 1.5),
    )


def paint_portrait(identity: Identity) -> Portrait:
    """Paint the still layers of ``identity``."""
    rng = np.random.default_rng(identity.texture_seed)
    u, v = canvas_grid()
    skin, hair = _skin(identity, u, v, rng), _hair_texture(identity, rng)
    head = coverage(head_radius(identity, u, v) - 1.0, 1.5)
    neck, shirt = _body(identity, u, v)
    behind = _hair_behind(identity, u, v)
    front = _hair_front(identity, u, v, rng)
    albedo, alpha = hair.copy(), np.zeros_like(u)
    if behind is not None:
        alpha = np.maximum(alpha, behind)
    cloth = np.asarray(rng.uniform(0.12, 0.75, 3), dtype=np.float32)
    weave = (1.0 + 0.05 * noise(rng, 1.0, 2.0))[..., None].astype(np.float32)
    ears = np.zeros_like(u)
    for side in (-1.0, 1.0):
        oval = ((u - side * identity.width * 1.0) / 0.11) ** 2 + ((v - 0.02) / 0.21) ** 2 - 1.0
        ears = np.maximum(ears, coverage(oval, 1.5))
    for cover, colour in ((neck, skin), (shirt, cloth * weave), (ears, skin * 0.88), (head, skin)):
        paint(albedo, cover, np.asarray(colour, dtype=np.float32))
        alpha = np.maximum(alpha, cover)
    paint(albedo, 0.9 * _brows(identity, u, v), np.asarray(hair * 0.75, dtype=np.float32))
    shadow = np.asarray(identity.skin, dtype=np.float32) * np.float32(0.35)
    paint(albedo, _nose(identity, u, v), shadow)
    paint(albedo, front, hair)
    normals = surface_normals(identity, u, v)
    return Portrait(
        identity=identity,
        albedo=albedo,
        alpha=np.maximum(alpha, front),
        normals=normals,
        occlusion=occlusion(identity, u, v),
    )
