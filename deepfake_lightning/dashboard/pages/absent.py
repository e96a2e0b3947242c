"""What is said where there is nothing to show yet: what to type."""

from __future__ import annotations

from dash.development.base_component import Component

from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import card, empty
from deepfake_lightning.dashboard.words import ago
from deepfake_lightning.monitoring.windows import Window


def no_log(view: View) -> Component:
    """Return what is said where no server ever wrote a log."""
    return card(
        "Nothing has been served yet",
        empty(
            "There is no prediction log in this workspace.",
            "A version is deployed, and a server answers requests with it; the log begins then.",
            f"deepfake-lightning deploy VERSION --env {view.env}",
            f"deepfake-lightning serve --env {view.env}",
        ),
        size="wide",
    )


def no_traffic(view: View, window: Window, now_us: int) -> Component:
    """Return what is said where nothing came in a period."""
    if window.last_us is not None:
        advice = "Choose a longer period above, or see whether a server runs."
        said = f"The last request came {ago(window.last_us, now_us)}. {advice}"
    else:
        said = "No request ever came to this environment, or to this version of it."
    return card(
        "No traffic in this period",
        empty(f"No requests: {window.period.says}.", said,
              f"deepfake-lightning serve --env {view.env}"),
        size="wide",
    )  # fmt: skip
