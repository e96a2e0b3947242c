"""``serve``: the detector over HTTP."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from deepfake_lightning.cli.detector_choice import check_one, registered_bundle
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace


def serve(
    version: str | None = None,
    bundle: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int | None = None,
    device: str = "cpu",
    token_file: str | None = None,
    log: str | None = None,
    workspace: str | None = None,
) -> int:
    """Answer requests over HTTP: a picture in, an assessment out.

    Without a token only this machine is answered. The token comes from the variable
    DEEPFAKE_TOKEN or from a file; callers send it as `Authorization: Bearer TOKEN`.

    Args:
        version: of the registry, v1.0.0, or the environment that one serves: production.
        bundle: folder of the detector's bundle, instead.
        host: address to listen on; any but this machine's own needs a token.
        port: to listen on; 0 picks a free one.
        workers: pictures scored at a time (default: one for each core).
        device: cpu (through ONNX), or cuda, cuda:1, ... (through PyTorch).
        token_file: file with the token.
        log: prediction log, a path or a database URL (default: monitoring/predictions.db in the
            workspace).
        workspace: where the workspace is (default: mlops).
    """
    check_one(version=version, bundle=bundle)
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers} leaves nobody to work", next_step="pass 1 or more")
    from deepfake_lightning.monitoring import PredictionLog
    from deepfake_lightning.serving.app import create_app
    from deepfake_lightning.serving.server import check_address, listen, read_token, run, url_of

    token = read_token(token_file)
    check_address(host, token)
    place = log or Workspace.find(workspace).monitoring / "predictions.db"
    with listen(host, port) as listener, PredictionLog(place) as predictions:
        # Slow, and so after all that can fail.
        from deepfake_lightning.bundle import load_bundle
        from deepfake_lightning.inference import EngineSource
        from deepfake_lightning.inference.golden_check import golden_difference

        if version is not None:
            loaded = registered_bundle(version, workspace)
        else:
            loaded = load_bundle(Path(str(bundle)))
        engine = EngineSource(loaded.folder, device=device, digest=loaded.digest).open()
        golden_difference(engine, loaded)  # it scores as it was measured
        app = create_app(engine, predictions, token=token, workers=workers)
        url = url_of(listener)
        key = ' -H "Authorization: Bearer $DEEPFAKE_TOKEN"' if token else ""
        drawn = "trained on drawn faces: it says nothing of real ones\n" if engine.is_demo else ""
        Console().print(
            f"serving {engine.version} on {url} (log: {predictions.name})\n"
            f"{drawn}try: curl{key} --data-binary @face.jpg {url}/v1/predict",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        run(app, listener)
    return 0
