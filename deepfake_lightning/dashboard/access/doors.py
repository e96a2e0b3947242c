"""What each path of the dashboard asks of who calls it."""

from __future__ import annotations

from deepfake_lightning.serving.access.doors import Door

LOGIN, LOGOUT, ASSETS, MEDIA = "/login", "/logout", "/assets", "/media"


def door_of(path: str) -> Door:
    """Return the door of a path: all but the login page and what it is drawn with needs ``admin``.

    Pages show ids of requests and pictures that people sent in, and alerts are acknowledged there.
    """
    if path == LOGIN:
        return Door(LOGIN, "admin", is_open=True)  # to be read; who sends a token needs a right one
    if path.startswith(f"{ASSETS}/"):
        return Door(ASSETS, is_open=True)
    return Door("page", "admin")
