"""What A/B tests conclude of versions whose accuracy is known, because it is made up.

Requests come one by one, each with its label; after every label somebody looks, and stops as soon
as there is a verdict. How often are equal versions told apart, with the always-valid test and with
the z-test that most would use? How often, and after how many labels, is a better one found: with
shares, and in the shadow, where both score the same items? How often are two called equal that
differ by just what matters? And does a real server split as it should, with each client on one
version, also after it is started again::

    python scripts/bench/abtest_simulation.py --runs 1000
    python scripts/bench/abtest_simulation.py --runs 0 --workspace mlops --requests 3000
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from common import print_json, print_table
from server_process import serving

from deepfake_lightning.metrics import (
    AnytimeTest,
    Looks,
    anytime_test,
    paired_looks,
    sample_ratio_p,
    two_sample_looks,
)
from deepfake_lightning.serving.fleet.routing import choose, place_of
from deepfake_lightning.storage import Workspace, write_json

TAU, ALPHA, MARGIN = 0.03, 0.05, 0.01
Z = 1.959963984540054
HARD = 0.10  # share of the items that the control gets wrong


def split_looks(
    generator: np.random.Generator, labels: int, by: float, fakes: float, share: float
) -> Looks:
    """Return an experiment with shares: the challenger is right ``by`` more often."""
    fake = (generator.random(labels) < fakes).astype(int)
    second = generator.random(labels) < share
    right = generator.random(labels) < 1 - HARD + by * second
    return two_sample_looks(right.astype(float), second, fake, number=2)


def shadow_looks(
    generator: np.random.Generator, labels: int, by: float, fakes: float, apart: float
) -> Looks:
    """Return an experiment in the shadow.

    Both get ``HARD`` - ``apart`` of the items wrong. On another share of ``apart`` each, only one
    of them is wrong; that of the challenger is smaller by ``by``.
    """
    fake = (generator.random(labels) < fakes).astype(int)
    which = generator.random(labels)
    gains = np.where(which < apart, 1.0, np.where(which < 2 * apart - by, -1.0, 0.0))
    return paired_looks(gains, fake, number=2)


def z_finds(looks: Looks, *, every: int = 1) -> bool:
    """Whether a z-test at 5 %, made at every so many looks, finds a difference at any of them."""
    z = np.abs(looks.difference) / np.sqrt(looks.variance)
    return bool((z[::every] > Z).any())


def equal(test: AnytimeTest) -> bool:
    """Whether a test says that the difference does not matter."""
    if test.low is None or test.high is None:
        return False
    return test.low >= -MARGIN and test.high <= MARGIN


def errors(runs: int, labels: int, seed: int) -> list[dict[str, Any]]:
    """Equal versions: how often each test finds a difference."""
    kinds: dict[str, Any] = {
        "half each, half fakes": lambda g: split_looks(g, labels, 0, 0.5, 0.5),
        "20 %, half fakes": lambda g: split_looks(g, labels, 0, 0.5, 0.2),
        "half each, 5 % fakes": lambda g: split_looks(g, labels, 0, 0.05, 0.5),
        "5 %, 10 % fakes": lambda g: split_looks(g, labels, 0, 0.1, 0.05),
        "shadow, 3 % apart": lambda g: shadow_looks(g, labels, 0, 0.5, 0.03),
        "shadow, 1 % apart, 10 % fakes": lambda g: shadow_looks(g, labels, 0, 0.1, 0.01),
    }
    found = []
    for name, make in kinds.items():
        generator, counts = np.random.default_rng(seed), Counter[str]()
        for _ in range(runs):
            looks = make(generator)
            counts["always-valid"] += anytime_test(looks, tau=TAU, alpha=ALPHA).p <= ALPHA
            counts["z, each label"] += z_finds(looks)
            counts["z, each 100th"] += z_finds(looks, every=100)
        found.append({"traffic": name, **{key: counts[key] / runs for key in
                      ("always-valid", "z, each label", "z, each 100th")}})  # fmt: skip
    return found


def several(runs: int, labels: int, seed: int, number: int = 3) -> dict[str, float]:
    """Several equal challengers: how often any is found, with and without the correction."""
    generator, counts = np.random.default_rng(seed), Counter[str]()
    for _ in range(runs):
        fake = (generator.random(labels) < 0.5).astype(int)
        arm = generator.integers(0, number + 1, labels)
        right = (generator.random(labels) < 1 - HARD).astype(float)
        p = 1.0
        for one in range(1, number + 1):
            rows = (arm == 0) | (arm == one)
            looks = two_sample_looks(right[rows], arm[rows] == one, fake[rows], number=2)
            p = min(p, anytime_test(looks, tau=TAU, alpha=ALPHA).p)
        counts["corrected"] += number * p <= ALPHA
        counts["uncorrected"] += p <= ALPHA
    return {name: count / runs for name, count in counts.items()}


def power(runs: int, labels: int, seed: int) -> list[dict[str, Any]]:
    """Better versions: how often they are found, and after how many labels."""
    found = []
    for by in (0.01, 0.02, 0.03, 0.05, 0.08):
        for mode in ("share", "shadow"):
            generator, took, wrong = np.random.default_rng(seed), [], 0
            for _ in range(runs):
                looks = (
                    split_looks(generator, labels, by, 0.5, 0.5) if mode == "share"
                    else shadow_looks(generator, labels, by, 0.5, max(by, 0.03))
                )  # fmt: skip
                test = anytime_test(looks, tau=TAU, alpha=ALPHA)
                took += [] if test.decided_at is None else [test.decided_at + 1]
                wrong += test.high is not None and test.high < 0
            found.append({
                "better by": by, "mode": mode, "found": len(took) / runs, "worse": wrong / runs,
                "labels": float(np.median(took)) if len(took) > runs / 2 else None,
                "labels_90": float(np.quantile([*took, *[np.inf] * (runs - len(took))], 0.9))
                if len(took) >= 0.9 * runs else None,
            })  # fmt: skip
    return found


def called_equal(runs: int, labels: int, seed: int) -> dict[str, float]:
    """How often two are called equal: that are, and that differ by just what matters."""
    found = {}
    for by in (0.0, MARGIN):
        generator = np.random.default_rng(seed)
        number = sum(
            equal(anytime_test(shadow_looks(generator, labels, by, 0.5, 0.01), tau=TAU))
            for _ in range(runs)
        )
        found[f"{by:g}"] = number / runs
    return found


def real_split(workspace: Path, requests: int, face: bytes) -> dict[str, Any]:
    """A real server with shares of 80 and 20 %: what each gets, and whether clients stay."""
    versions = sorted(path.name for path in (workspace / "registry" / "models").glob("v*"))[:2]
    shares = (0.8, 0.2)
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder) / "mlops")
        shutil.copytree(workspace / "registry", place.registry)
        serves = [{"version": v, "share": s} for v, s in zip(versions, shares, strict=True)]
        write_json(place.environments / "production.json",
                   {"schema": 1, "serving": serves, "experiment": "eyes"})  # fmt: skip
        answered, keyed = Counter[str](), [dict[str, str](), dict[str, str]()]
        for turn in (0, 1):  # the server is started again in between
            with (
                serving(place.root, "--env", "production") as server,
                httpx.Client(base_url=server.url, timeout=60) as client,
            ):
                for number in range(requests // 2):
                    answered[_ask(client, face)] += 1
                    if number % 4 == 0:
                        key = f"client {number}"
                        keyed[turn][key] = _ask(client, face, key)
    meant = {key: versions[choose(shares, place_of("eyes", key))] for key in keyed[0]}
    return {
        "requests": sum(answered.values()),
        "share": round(answered[versions[1]] / sum(answered.values()), 4),
        "p": sample_ratio_p([answered[v] for v in versions], shares),
        "clients": len(meant),
        "moved": sum(keyed[0][key] != keyed[1][key] for key in keyed[0]),
        "elsewhere": sum(keyed[0][key] != meant[key] for key in meant),
    }


def _ask(client: httpx.Client, face: bytes, key: str | None = None) -> str:
    answer = client.post("/v1/predict?already_cropped=true", content=face,
                         headers={"X-Client-Key": key} if key else {})  # fmt: skip
    answer.raise_for_status()
    return str(answer.json()["version"])


def routed(draws: int) -> dict[str, Any]:
    """The routing alone: shares of many keys, and of the largest gap from what was meant."""
    shares, counts = (0.7, 0.2, 0.1), Counter[int]()
    for number in range(draws):
        counts[choose(shares, place_of("eyes", f"{number:032x}"))] += 1
    return {"draws": draws, "shares": [counts[one] / draws for one in range(3)],
            "p": sample_ratio_p([counts[one] for one in range(3)], shares)}  # fmt: skip


def main() -> None:
    """Simulate, and measure a real server where one is given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--labels", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workspace", type=Path, help="with two versions, for a real server")
    parser.add_argument("--requests", type=int, default=2000)
    args = parser.parse_args()
    result: dict[str, Any] = {"runs": args.runs, "labels": args.labels}
    if args.runs:
        result["errors"] = errors(args.runs, args.labels, args.seed)
        result["several"] = several(args.runs, args.labels, args.seed)
        result["power"] = power(args.runs, args.labels, args.seed)
        result["called_equal"] = called_equal(args.runs, args.labels, args.seed)
        for part in ("errors", "power"):
            rows = result[part]
            print_table(
                [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
            )
            print()
        print(f"three equal challengers, any found: {json.dumps(result['several'])}")
        print(f"called equal, by difference: {json.dumps(result['called_equal'])}")
    result["routing"] = routed(200_000)
    print(f"routing: {json.dumps(result['routing'])}")
    if args.workspace:
        import cv2

        picture = np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)
        face = cv2.imencode(".jpg", picture)[1].tobytes()
        result["server"] = real_split(args.workspace, args.requests, face)
        print(f"server: {json.dumps(result['server'])}")
    print_json("abtest_simulation", result)


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:,.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
