"""Drawn portraits in motion: head, light, background and camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from deepfake_lightning.data.demo.canvas import CANVAS, UNIT
from deepfake_lightning.data.demo.features import draw_eye, draw_glasses, draw_mouth
from deepfake_lightning.data.demo.identity import FloatArray, Identity
from deepfake_lightning.data.demo.portrait import Portrait

FRAME = 256
"""Side of a clip's square frame, pixels."""
FPS = 12
"""Frames per second of every clip."""
_SCALE = 0.70  # frame pixels per canvas pixel: a face box about 135 pixels high


@dataclass(frozen=True)
class Frame:
    """One drawn frame and the geometry it was drawn with.

    Attributes:
        image: (FRAME, FRAME, 3) uint8 RGB.
        affine: (2, 3) float64, maps canvas pixels to frame pixels.
        box: x, y, width, height of the face (hairline to chin), frame pixels.
    """

    image: npt.NDArray[np.uint8]
    affine: npt.NDArray[np.float64]
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class _Pose:
    """What one frame adds to the portrait; angles in radians, shifts in pixels."""

    shift: tuple[float, float]
    roll: float
    zoom: float
    yaw: float
    lids: float
    mouth: float
    light: tuple[float, float, float]
    gain: float


def _waves(rng: np.random.Generator, count: int, rates: tuple[float, float]) -> FloatArray:
    """(count, 8) smooth curves in about [-1, 1], one column per degree of freedom."""
    time = np.arange(count)[:, None] / FPS
    rate, phase = rng.uniform(*rates, (2, 8)), rng.uniform(0, 2 * np.pi, (2, 8))
    curves = np.sin(2 * np.pi * rate[0] * time + phase[0])
    curves = 0.7 * curves + 0.3 * np.sin(4 * np.pi * rate[1] * time + phase[1])
    return np.asarray(curves, dtype=np.float32)


def _poses(rng: np.random.Generator, count: int) -> list[_Pose]:
    slow, fast = _waves(rng, count, (0.15, 0.5)), _waves(rng, count, (0.8, 1.6))
    blink_at, talk = rng.uniform(0, max(count, 2)), rng.uniform(0.2, 1.0)
    start, lively = rng.uniform(-6, 6, 2), rng.uniform(0.4, 1.5)
    side, zoom = rng.uniform(-0.55, 0.55), rng.uniform(0.94, 1.05)
    poses = []
    for index in range(count):
        s, f = slow[index], fast[index]
        direction = np.array([side + 0.15 * s[4], -0.45 + 0.1 * s[5], 0.85])
        direction /= np.linalg.norm(direction)
        poses.append(
            _Pose(
                shift=(float(start[0] + 5 * lively * s[0]), float(start[1] + 3 * lively * s[1])),
                roll=float(0.05 * lively * s[2]),
                zoom=float(zoom * (1 + 0.015 * s[3])),
                yaw=float(0.13 * lively * s[6]),
                lids=float(np.clip(abs(index - blink_at) / 1.8, 0.08, 1.0)),
                mouth=float(talk * max(0.0, f[0])),
                light=(float(direction[0]), float(direction[1]), float(direction[2])),
                gain=float(1.0 + 0.05 * s[7]),
            )
        )
    return poses


def _lit(portrait: Portrait, pose: _Pose) -> FloatArray:
    """(CANVAS, CANVAS, 4) premultiplied, lit RGBA in [0, 1]."""
    albedo, who = portrait.albedo.copy(), portrait.identity
    draw_mouth(albedo, who, pose.mouth)
    for side in (-1.0, 1.0):
        draw_eye(albedo, who, side, pose.lids)
    if who.glasses:
        draw_glasses(albedo, who)
    facing = np.maximum(portrait.normals @ np.asarray(pose.light, dtype=np.float32), 0.0)
    light = np.float32(pose.gain) * (0.42 + 0.66 * facing) * portrait.occlusion
    shine = np.float32(0.10) * facing**24
    rgba = np.empty((CANVAS, CANVAS, 4), dtype=np.float32)
    rgba[..., :3] = (albedo * light[..., None] + shine[..., None]) * portrait.alpha[..., None]
    rgba[..., 3] = portrait.alpha
    return rgba


def _affine(pose: _Pose) -> npt.NDArray[np.float64]:
    """(2, 3) map from canvas pixels to frame pixels."""
    middle, scale = CANVAS / 2, _SCALE * pose.zoom
    cosine, sine = scale * np.cos(pose.roll), scale * np.sin(pose.roll)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    offset = np.array(pose.shift) + FRAME / 2 - turn @ np.array([middle, middle])
    return np.hstack([turn, offset[:, None]])


def canvas_positions(affine: npt.NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    """Canvas pixel under every frame pixel: two (FRAME, FRAME) float32 arrays (x, y)."""
    inverse = cv2.invertAffineTransform(affine).astype(np.float32)
    axis = np.arange(FRAME, dtype=np.float32)
    row, column = axis[None, :], axis[:, None]
    x = inverse[0, 0] * row + inverse[0, 1] * column + inverse[0, 2]
    y = inverse[1, 0] * row + inverse[1, 1] * column + inverse[1, 2]
    return x, y


def _background(rng: np.random.Generator) -> FloatArray:
    """(FRAME, FRAME, 3) float32 in [0, 1]: a gradient, blurred lights, a wall's texture."""
    ends = rng.uniform(0.2, 0.8, (2, 1)) + rng.uniform(-0.1, 0.1, (2, 3))
    ramp = np.linspace(0.0, 1.0, FRAME)[:, None, None]
    wall = np.broadcast_to(ends[0] * (1 - ramp) + ends[1] * ramp, (FRAME, FRAME, 3)).astype(
        np.float32
    )
    wall = np.ascontiguousarray(wall)
    for _ in range(int(rng.integers(3, 12))):
        x, y = (int(value) for value in rng.integers(0, FRAME, 2))
        colour = tuple(float(v) for v in rng.uniform(0.2, 0.85) + rng.uniform(-0.15, 0.15, 3))
        cv2.circle(wall, (x, y), int(rng.integers(8, 40)), colour, -1, cv2.LINE_AA)
    wall = cv2.GaussianBlur(wall, (0, 0), float(rng.uniform(2.0, 12.0)))
    grain = cv2.GaussianBlur(rng.standard_normal((FRAME, FRAME), dtype=np.float32), (0, 0), 1.5)
    return np.asarray(wall + rng.uniform(0.0, 0.2) * grain[..., None], dtype=np.float32)


def _box(who: Identity, affine: npt.NDArray[np.float64]) -> tuple[int, int, int, int]:
    corners = np.array([[u, v] for u in (-who.width, who.width) for v in (-0.85, 1.05)])
    points = (corners * UNIT + CANVAS / 2) @ affine[:, :2].T + affine[:, 2]
    low, high = points.min(axis=0), points.max(axis=0)
    x, y, w, h = (round(float(value)) for value in (*low, *(high - low)))
    return x, y, w, h


def draw_clip(portrait: Portrait, rng: np.random.Generator, frames: int) -> list[Frame]:
    """Draw one clip of a person before one background.

    Args:
        portrait: the person's still layers.
        rng: source of the clip's motion, light, background and noise.
        frames: how many frames, at ``FPS`` frames per second.

    Returns:
        The frames in order.
    """
    background, noise = _background(rng), float(rng.uniform(1.2, 4.0))
    tint = (rng.uniform(0.9, 1.05) * rng.uniform(0.98, 1.02, 3)).astype(np.float32)
    drawn = []
    for pose in _poses(rng, frames):
        affine = _affine(pose)
        x, y = canvas_positions(affine)
        # Near points move further when the head turns, as in a true rotation.
        dome = 1.0 - ((x - CANVAS / 2) / 85) ** 2 - ((y - CANVAS / 2) / 110) ** 2
        x -= np.float32(pose.yaw * 0.62 * UNIT) * np.sqrt(np.clip(dome, 0.0, 1.0))
        layer = cv2.remap(_lit(portrait, pose), x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        scene = layer[..., :3] + (1.0 - layer[..., 3:]) * background * pose.gain
        scene = np.clip(scene * tint, 0.0, 1.0) * np.float32(255.0)
        scene += np.float32(noise) * rng.standard_normal(scene.shape, dtype=np.float32)
        image = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
        drawn.append(Frame(image, affine, _box(portrait.identity, affine)))
    return drawn
