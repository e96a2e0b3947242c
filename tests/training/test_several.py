"""What one of several processes says when the others are gone, or never were there."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch.distributed as dist

from deepfake_lightning.errors import ProcessLostError
from deepfake_lightning.training.several import told_apart

TWO: Any = SimpleNamespace(world_size=2, global_rank=1)


@pytest.fixture
def _joined() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_who_never_found_the_others_says_what_torch_says() -> None:
    taken = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    with pytest.raises(dist.DistNetworkError, match="in use"), told_apart(TWO):
        dist.TCPStore("127.0.0.1", taken.port, is_master=True, wait_for_workers=False)


@pytest.mark.usefixtures("_joined")
def test_who_is_left_names_the_cause() -> None:
    said = "[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:4242"
    with (
        pytest.raises(ProcessLostError, match="process 1 of 2 was left") as caught,
        told_apart(TWO),
    ):
        raise RuntimeError(f"{said}\nException raised from")
    assert "Connection closed by peer" in caught.value.why
    assert "Exception raised" not in str(caught.value)


@pytest.mark.usefixtures("_joined")
def test_an_error_of_its_own_stays_one() -> None:
    with pytest.raises(RuntimeError, match="shapes"), told_apart(TWO):
        raise RuntimeError("shapes do not match")
