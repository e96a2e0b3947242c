"""Faces of many requests in one run of the network."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepfake_lightning.inference import Engine


def face(brightness):
    return np.full((16, 16, 3), brightness, np.uint8)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0.005)


def test_an_idle_network_takes_a_face_at_once(brightness):
    network = brightness.Brightness()
    batcher = brightness.served(network, slots=1, most=8).batcher

    async def run():
        return await asyncio.wait_for(batcher.run([face(192)]), 5)

    result = asyncio.run(run())
    assert result.logits == pytest.approx([1.0], abs=0.01)
    assert result.features.shape == (1, 2)
    assert network.batches == [1]


def test_what_comes_while_it_runs_is_the_next_batch(brightness):
    network = brightness.Brightness()
    batcher = brightness.served(network, slots=1, most=8).batcher

    async def run():
        network.may_go.clear()
        first = asyncio.create_task(batcher.run([face(64)]))
        await settle()
        others = [asyncio.create_task(batcher.run([face(64 + n)])) for n in range(5)]
        await settle()
        assert len(batcher) == 5
        network.may_go.set()
        return await asyncio.gather(first, *others)

    results = asyncio.run(run())
    assert network.batches == [1, 5]
    found = [float(result.logits[0]) for result in results]
    assert found == pytest.approx([(64 + n) / 64 - 2 for n in (0, 0, 1, 2, 3, 4)], abs=0.01)
    assert results[-1].queued >= 0.05


def test_a_clip_is_spread_and_comes_back_in_order(brightness):
    network = brightness.Brightness()
    batcher = brightness.served(network, slots=2, most=4).batcher
    result = asyncio.run(batcher.run([face(10 * n) for n in range(11)]))
    assert sorted(network.batches) == [3, 4, 4]  # two threads begin them
    assert result.logits == pytest.approx([10 * n / 64 - 2 for n in range(11)], abs=0.01)


def test_a_picture_behind_a_clip_is_in_the_next_batch(brightness):
    class Recording(brightness.Brightness):
        def run(self, images):
            shown.append([round(float(mean)) for mean in images.mean(axis=(1, 2, 3)) * 255])
            return super().run(images)

    shown: list[list[int]] = []
    network = Recording()
    batcher = brightness.served(network, slots=1, most=4).batcher
    shades = [3 * n + 20 for n in range(40)]

    async def run():
        network.may_go.clear()
        clip = asyncio.create_task(batcher.run([face(shade) for shade in shades]))
        await settle()
        picture = asyncio.create_task(batcher.run([face(192)]))
        await settle()
        assert len(batcher) == 40 - 4 + 1
        network.may_go.set()
        return await asyncio.gather(picture, clip)

    picture, clip = asyncio.run(run())
    assert shown[:2] == [shades[:4], [shades[4], 192, *shades[5:7]]]
    assert picture.logits == pytest.approx([1.0], abs=0.01)
    assert clip.logits == pytest.approx([shade / 64 - 2 for shade in shades], abs=0.01)
    assert network.batches == [4] * 10 + [1]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 12), min_size=1, max_size=12), st.integers(1, 3), st.integers(1, 5))
def test_each_of_many_requests_gets_its_own_results(brightness, sizes, slots, most):
    network = brightness.Brightness()
    batcher = brightness.served(network, slots=slots, most=most).batcher
    shades = iter(np.arange(sum(sizes)) + 20)  # each face is another one
    requests = [[int(next(shades)) for _ in range(size)] for size in sizes]

    async def run():
        waiting = [batcher.run([face(shade) for shade in each]) for each in requests]
        return await asyncio.gather(*waiting)

    for result, each in zip(asyncio.run(run()), requests, strict=True):
        assert result.logits == pytest.approx([shade / 64 - 2 for shade in each], abs=0.001)
        assert result.features[:, 0] == pytest.approx(each, abs=0.01)
    assert sum(network.batches) == sum(sizes)
    assert max(network.batches) <= most
    assert network.at_once <= slots
    assert len(batcher) == 0


def test_a_failure_is_told_to_its_batch_and_the_next_one_runs(brightness):
    network = brightness.Brightness()
    batcher = brightness.served(network, slots=1, most=4).batcher

    async def run():
        with pytest.raises(ZeroDivisionError):
            await batcher.run([face(brightness.FAULTY)])
        return await batcher.run([face(64)])

    assert asyncio.run(run()).logits == pytest.approx([-1], abs=0.01)


def test_who_has_given_up_is_not_scored(brightness):
    network = brightness.Brightness()
    batcher = brightness.served(network, slots=1, most=4).batcher

    async def run():
        network.may_go.clear()
        first = asyncio.create_task(batcher.run([face(64)]))
        await settle()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.run([face(70)] * 4), 0.05)
        last = asyncio.create_task(batcher.run([face(80)]))
        network.may_go.set()
        await asyncio.gather(first, last)

    asyncio.run(run())
    assert network.batches == [1, 1]


def test_batches_score_as_the_engine_does(crop_bundle):
    from concurrent.futures import ThreadPoolExecutor

    from deepfake_lightning.bundle import load_bundle
    from deepfake_lightning.serving.fleet.lineup import Network, open_version
    from deepfake_lightning.serving.telemetry.metrics import Metrics

    network = Network(ThreadPoolExecutor(2), 2, 3, "cpu", Metrics())
    served = open_version(load_bundle(crop_bundle.folder), network)
    size = served.engine.preprocess.size
    crops = list(np.random.default_rng(0).integers(0, 255, (7, size, size, 3), np.uint8))
    began = time.perf_counter()
    result = asyncio.run(served.batcher.run(crops))
    assert result.seconds < time.perf_counter() - began
    engine: Engine = served.engine
    assert result.logits == pytest.approx(engine.logits(crops), abs=1e-4)
    assert served.project(result.features) is not None
