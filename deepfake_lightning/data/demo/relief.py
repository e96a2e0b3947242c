"""The shape of a drawn head: outline, height, normals and the light lost in folds."""

from __future__ import annotations

import cv2
import numpy as np

from deepfake_lightning.data.demo.canvas import EYE_LEVEL, MOUTH_LEVEL, UNIT, bump
from deepfake_lightning.data.demo.identity import FloatArray, Identity

_HALF_HEIGHT = 1.05  # of the head, face units


def head_radius(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray:
    """Distance from the head's centre, 1 on its outline; (H, W) float32."""
    t = np.clip(v / _HALF_HEIGHT, -1.0, 1.2)
    width = identity.width * (1.0 - identity.jaw * np.maximum(t, 0.0) ** 2)
    power = 2.3
    radius = (np.abs(u) / width) ** power + np.abs(v / _HALF_HEIGHT) ** power
    return np.asarray(radius ** (1.0 / power), dtype=np.float32)


def crown_radius(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray:
    """As :func:`head_radius`, of the head with its hair on."""
    return head_radius(identity, u * np.float32(0.91), np.where(v < 0, v * np.float32(0.89), v))


def _relief(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray:
    """Height of the face towards the viewer, face units."""
    radius = crown_radius(identity, u, v)  # one dome under skin and hair: no rim at the hairline
    # A square root that levels out past the outline: no bright rim where the dome ends.
    dome = 1.0 - radius**2
    height = 0.66 * np.sqrt(0.5 * (dome + np.sqrt(dome**2 + 0.03)))
    ridge_width = 0.055 + 0.055 * np.clip((v + 0.2) / 0.5, 0.0, 1.0)
    ridge = np.exp(-0.5 * (u / ridge_width) ** 2)
    profile = np.clip((v + 0.30) / 0.56, 0.0, 1.0) * np.clip((0.34 - v) / 0.08, 0.0, 1.0)
    height += 0.17 * ridge * profile
    for side in (-1.0, 1.0):
        height -= 0.07 * bump(u, v, (side * identity.eye_gap, EYE_LEVEL), 0.19, 0.12)
        height += 0.03 * bump(u, v, (side * identity.eye_gap, -0.36), 0.20, 0.07)
        height += 0.05 * bump(u, v, (side * 0.42, 0.20), 0.18, 0.16)
        height += 0.06 * bump(u, v, (side * identity.nose * 0.75, 0.27), 0.05, 0.05)
    height += 0.04 * bump(u, v, (0.0, MOUTH_LEVEL), 0.24, 0.13)
    height += 0.05 * bump(u, v, (0.0, 0.88), 0.17, 0.12)
    smooth = cv2.GaussianBlur(np.asarray(height, dtype=np.float32), (0, 0), 2.5)
    return np.asarray(smooth, dtype=np.float32)


def surface_normals(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray:
    """Unit normals (u, v, towards the viewer) of the head; (H, W, 3) float32."""
    down, right = np.gradient(_relief(identity, u, v) * np.float32(UNIT))
    normals = np.dstack([-right, -down, np.ones_like(down)])
    length = np.sqrt((normals**2).sum(axis=2, keepdims=True))
    return np.asarray(normals / length, dtype=np.float32)


def occlusion(identity: Identity, u: FloatArray, v: FloatArray) -> FloatArray:
    """Light left in folds and under the chin, 1 in the open; (H, W) float32 in (0, 1]."""
    dark = 0.20 * bump(u, v, (0.0, 0.37), identity.nose, 0.04)
    dark += 0.16 * bump(u, v, (0.0, MOUTH_LEVEL + 0.17), 0.16, 0.04)
    for side in (-1.0, 1.0):
        dark += 0.22 * bump(u, v, (side * (identity.eye_gap - 0.15), EYE_LEVEL - 0.08), 0.07, 0.09)
        dark += 0.12 * bump(u, v, (side * identity.eye_gap, EYE_LEVEL + 0.12), 0.13, 0.03)
    under_chin = np.clip((head_radius(identity, u, v) - 1.0) / 0.05, 0.0, 1.0)
    dark += 0.40 * under_chin * bump(u, v, (0.0, 1.12), 0.6, 0.22)
    return np.asarray(1.0 - np.clip(dark, 0.0, 0.8), dtype=np.float32)
