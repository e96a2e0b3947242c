"""The processes that decode media: what is begun anew, and what is not."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from deepfake_lightning.media.limits import VIDEO_LIMITS
from deepfake_lightning.serving.decoding import DecoderCrashed, DecodingPool


def test_a_file_whose_process_is_told_to_end_again_and_again_is_given_up() -> None:
    """As one is that takes too much memory, where a daemon watches over it."""

    async def ask() -> int:
        pool = DecodingPool(1, VIDEO_LIMITS)
        try:
            await pool.start()
            with pytest.raises(DecoderCrashed, match="-15"):
                async with asyncio.timeout(60):
                    await pool._run(60.0, signal.raise_signal, signal.SIGTERM)
            return await pool._run(60.0, os.getpid)  # the next one is done
        finally:
            pool.stop()

    assert asyncio.run(ask()) != os.getpid()


def test_pictures_wait_until_those_before_are_scored_and_clips_do_not() -> None:
    async def ask() -> None:
        lengths: list[int] = []
        pool = DecodingPool(1, VIDEO_LIMITS, lengths.append, ahead=2)
        async with pool.place("image"), pool.place("image"):
            async with pool.place("video"), pool.place("video"):
                pass
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1), pool.place("image"):
                    pytest.fail("there is no place")
            assert lengths[-2:] == [1, 0]  # it waited, and no longer does
        async with asyncio.timeout(5), pool.place("image"), pool.place("image"):
            pass  # who gave up holds none

    asyncio.run(ask())
