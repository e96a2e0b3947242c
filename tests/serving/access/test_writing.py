"""What is written in one turn of the event loop is sent at once, in order, and all of it."""

from __future__ import annotations

import asyncio

import pytest

from deepfake_lightning.serving.access.writing import WritesTogether


class Sent(asyncio.Transport):
    """A transport that keeps what it is given, a piece for each call of the kernel."""

    def __init__(self) -> None:
        super().__init__({"socket": "the socket"})
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


LARGE = b"l" * 100_000


@pytest.mark.parametrize(
    ("parts", "pieces"),
    [
        ([b"head", b"body", b""], [b"headbody"]),
        ([b""], []),
        ([LARGE], [LARGE]),
        ([LARGE[:40_000]] * 3, [LARGE[:80_000], LARGE[:40_000]]),  # no more than that waits
        ([b"head", LARGE, b"end"], [b"head", LARGE, b"end"]),  # in order, and not copied
    ],
)
@pytest.mark.parametrize("closes", [False, True])
def test_parts_of_a_turn_are_one_piece(parts: list[bytes], pieces: list[bytes], closes: bool):
    async def write() -> Sent:
        sent = Sent()
        writer = WritesTogether(sent, asyncio.get_running_loop())
        for part in parts:
            writer.write(part)
        if closes:
            writer.close()
            assert sent.pieces == pieces
        await asyncio.sleep(0)
        return sent

    sent = asyncio.run(write())
    assert (sent.pieces, sent.is_closed) == (pieces, closes)


def test_turns_are_pieces_of_their_own_and_all_else_is_the_transport_s():
    async def write() -> Sent:
        sent = Sent()
        writer = WritesTogether(sent, asyncio.get_running_loop())
        for part in (b"a", b"b"):
            writer.write(part)
            await asyncio.sleep(0)
        assert writer.get_extra_info("socket") == "the socket"
        assert not writer.is_closing()
        return sent

    assert asyncio.run(write()).pieces == [b"a", b"b"]
