"""Candidates that turn bad half way, on a real server under traffic: what they do to whom."""

from __future__ import annotations

import runpy
import shutil
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import cv2
import httpx
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from deepfake_lightning.bundle.load import ONNX
from deepfake_lightning.deployment.acts import Act
from deepfake_lightning.deployment.canary import CanaryPolicy, GuardRails, begin, watch
from deepfake_lightning.deployment.chain import verify_history
from deepfake_lightning.deployment.environment import Environment, sole_version, utc_now, whole
from deepfake_lightning.registry import Registry, Wish, register_bundle

_SERVE = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[2] / "serving" / "serve_process.py"))
)
CANDIDATE = "v3.0.0"
CALM, BRIGHT = 120, 250
_FROM = 0.8  # mean of a network's input, -1 to 1, above which a picture is bright


def changed(data, harm):
    """Return a graph that scores as before, but for bright pictures.

    Its golden pictures are not bright: nothing is wrong with it until such media come. ``errors``
    gives no number then, ``score_shift`` says that none of them is fake.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["plain_logit" if name == "logit" else name for name in node.output]
    graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for name, value in (
            ("bright_axes", np.array([1, 2, 3], np.int64)),
            ("bright_from", np.array(_FROM, np.float32)),
            ("bright_weight", np.array(0.0 if harm == "errors" else -60.0, np.float32)),
        )
    )
    of_mean = ["bright_from", "bright_mean"] if harm == "errors" else ["bright_mean", "bright_from"]
    graph.node.extend(
        [helper.make_node("ReduceMean", [graph.input[0].name, "bright_axes"], ["bright_mean"],
                          keepdims=0),
         helper.make_node("Sub", of_mean, ["bright_over"]),
         helper.make_node("Sqrt" if harm == "errors" else "Relu", ["bright_over"], ["bright_much"]),
         helper.make_node("Mul", ["bright_much", "bright_weight"], ["bright_more"]),
         helper.make_node("Add", ["plain_logit", "bright_more"], ["logit"])]
    )  # fmt: skip
    return model.SerializeToString()


class Callers:
    """Threads that send pictures, as bright as ``brightness`` says, and count the answers."""

    def __init__(self, url, threads=3, pause=0.02):
        self.url, self.pause, self.brightness = url, pause, CALM
        self.answers = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def _send(self, seed):
        draw = np.random.default_rng(seed)
        with httpx.Client(timeout=30) as client:
            while not self._end.wait(self.pause):
                level = self.brightness
                spread = 30 if level == CALM else 5
                image = draw.integers(level - spread, level + 5, (24, 32, 3)).astype(np.uint8)
                body = cv2.imencode(".png", image)[1].tobytes()
                answer = client.post(f"{self.url}/v1/predict?already_cropped=true", content=body)
                version = answer.json().get("version")
                self.answers.append((level, answer.status_code, version))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("harm", ["errors", "score_shift"])
def test_one_that_turns_bad_half_way_is_rolled_back(
    harm, workspace, crop_bundle, replace_file, tmp_path, capsys
):
    folder = shutil.copytree(crop_bundle.folder, tmp_path / "bundle")
    replace_file(folder, ONNX, changed((folder / ONNX).read_bytes(), harm))
    register_bundle(Registry(workspace), folder, Wish(CANDIDATE))
    production = Environment(workspace, "production")
    production.change(production.record(), whole("v1.0.0"), Act("deploy"))
    # All clients wait for the same processor: the versions' times say little here.
    policy = CanaryPolicy(minutes=1, requests=30, guard_rails=GuardRails(latency_ratio=20))
    told = []
    with ExitStack() as stack:
        server = _SERVE.ServeProcess(workspace.root, "--env", "production", "--workers", 1)
        stack.callback(server.destroy)
        callers = Callers(server.url)
        stack.callback(callers.stop)
        _, change = begin(production, CANDIDATE, policy, Act("canary"), now=utc_now())
        assert production.wait_taken(change, 30)

        def tell(decision, left):
            if told[-1:] != [decision]:
                told.append(decision)
            if decision.verdict == "advance" and decision.step == 0:
                turned.setdefault("at", time.monotonic())
                callers.brightness = BRIGHT  # with 25 % of the traffic

        turned = {}
        decision = watch(production, workspace.monitoring / "predictions.db", tell=tell)
        ended = time.monotonic()
        callers.stop()
    assert decision.end == "rolled_back", decision
    assert decision.taken
    broken = {one.guard for one in decision.judgement.findings if one.state == "broken"}
    assert broken == {harm}
    assert sole_version(production.record()) == "v1.0.0"
    assert verify_history(workspace) == []
    calm = [status for level, status, _ in callers.answers if level == CALM]
    assert set(calm) == {200}
    bright = Counter((status, version) for level, status, version in callers.answers
                     if level == BRIGHT)  # fmt: skip
    harmed = bright[500, None] if harm == "errors" else bright[200, CANDIDATE]
    assert 0 < harmed < 0.5 * sum(bright.values())
    # The log's rows of the candidate are all that it answered, but for those of the last moment.
    assert decision.answered >= harmed - 50
    with capsys.disabled():
        print(f"\n{harm}: {ended - turned['at']:.0f} s after it turned bad with 25 % of the traffic"
              f" it is out; it answered {decision.answered:,} requests, {harmed:,} of them badly,"
              f" of {len(callers.answers):,}: {decision.reasons[0]}")  # fmt: skip
