"""``dashboard``: what serves and how it fares, in the browser."""

from __future__ import annotations

from rich.console import Console

from deepfake_lightning.cli.printable import say
from deepfake_lightning.storage import Workspace


def dashboard(
    env: str = "production",
    host: str = "127.0.0.1",
    port: int = 8050,
    watch: bool = True,
    token_file: str | None = None,
    log: str | None = None,
    workspace: str | None = None,
) -> int:
    """Show what serves and how it fares, in the browser: http://localhost:8050.

    Predictions as they come, quality on audited labels, latency, drift, alerts, deployments and A/B
    tests, and the queue of requests to review. Nothing is loaded from elsewhere.

    Without a token only this machine is answered. A browser is asked for a token with the scope
    admin (`token create NAME --scopes admin`), or for the operator's own, from the variable
    DEEPFAKE_TOKEN or from a file.

    Args:
        env: environment that is shown first, and watched.
        host: address to listen on; any but this machine's own needs a token.
        port: to listen on; 0 picks a free one.
        watch: look for drift and alerts once a minute, as `monitor` does.
        token_file: file with the operator's token.
        log: prediction log, a path or URL (default: $DEEPFAKE_LOG, else monitoring/predictions.db
            in the workspace).
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.deployment.environment import Environment
    from deepfake_lightning.serving.access.tokens import FILE, TokenStore
    from deepfake_lightning.serving.server import check_address, listen, read_token

    found = Workspace.find(workspace)
    place = found.prediction_log(log)
    Environment(found, env)  # a name that can be none is said before anything is opened
    token = read_token(token_file)
    asks = token is not None or bool(TokenStore(found.serving / FILE))
    check_address(host, asks)
    with listen(host, port) as listener:
        from deepfake_lightning.dashboard.running import run_dashboard  # plotly and dash are slow

        run_dashboard(
            found, place, listener,
            env=env, token=token, asks=asks, watch=watch,
            say=lambda text: say(Console(), text.splitlines()),
        )  # fmt: skip
    return 0
