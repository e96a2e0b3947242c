"""Names of requests."""

from __future__ import annotations

import uuid

from deepfake_lightning.monitoring.log.request_ids import new_request_id, time_of


def test_a_name_is_a_uuid_of_version_7() -> None:
    name = new_request_id(1_700_000_000_123_456)
    assert (uuid.UUID(name).version, uuid.UUID(name).variant) == (7, uuid.RFC_4122)
    assert int(name[:12], 16) == 1_700_000_000_123


def test_names_are_in_order_of_time_and_all_different() -> None:
    names = [new_request_id(1_700_000_000_000_000 + 1000 * number) for number in range(1000)]
    assert names == sorted(names)
    assert len({new_request_id(0) for _ in range(1000)}) == 1000


def test_a_name_tells_when_it_was_given() -> None:
    assert time_of(new_request_id(1_700_000_000_123_456)) == 1_700_000_000_123_000
    for other in (uuid.uuid4().hex, "r00000", "", new_request_id(0).replace("7", "8"), "z" * 32):
        assert time_of(other) is None
