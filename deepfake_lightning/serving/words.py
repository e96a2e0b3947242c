"""What a server says of itself when it starts."""

from __future__ import annotations

from deepfake_lightning.serving.fleet.lineup import Lineup
from deepfake_lightning.serving.settings import Settings


def banner(
    settings: Settings, lineup: Lineup, url: str, asks: bool, refused: str | None = None
) -> str:
    """Return what is served, where, and a command to try.

    Args:
        settings: of the server.
        lineup: the versions that serve.
        url: where it listens.
        asks: whether callers need a token.
        refused: why these serve, and not what the environment's file says.
    """
    versions = " and ".join(
        one.engine.version if share == 1 else f"{one.engine.version} ({share:.0%})"
        for one, share in zip(lineup.serving, lineup.shares, strict=True)
    )
    shadow = "".join(f", {one.engine.version} in its shadow" for one in lineup.shadow)
    of = f" as {lineup.environment}" if lineup.environment else ""
    key = ' -H "Authorization: Bearer $DEEPFAKE_TOKEN"' if asks else ""
    lines = [f"serving {versions or 'nothing yet'}{shadow}{of} on {url} (docs: {url}/docs)"]
    if refused:
        lines.append(f"as before: what the environment's file says is refused: {refused}")
    if any(one.engine.is_demo for one in lineup.serving):
        lines.append("trained on drawn faces: it says nothing of real ones")
    if not versions:
        lines.append(f"nothing is deployed in {lineup.environment}: it serves once something is")
    lines.append(f"logs: {'stderr' if settings.logs == '-' else settings.logs}")
    lines.append(f"try: open {url}/ or curl{key} --data-binary @face.jpg {url}/v1/predict")
    return "\n".join(lines)
