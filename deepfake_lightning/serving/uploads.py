"""What is sent, as raw bytes or as a form: small bodies in memory, large ones in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from anyio import current_time, fail_after, to_thread
from starlette.requests import ClientDisconnect, Request

from deepfake_lightning.media.image_headers import picture_size, starts_like_picture
from deepfake_lightning.media.video_source import starts_like_video
from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.serving.answers import Refusal
from deepfake_lightning.serving.forms import FormFile
from deepfake_lightning.temporary import temporary_folder

IN_MEMORY = 1024 * 1024
"""Bytes of a body that are kept in memory; what is larger goes to a file."""
SLOWEST = 256 * 1024
"""Bytes a second that a large body has to come with."""
KINDS = "JPEG, PNG, WebP, BMP or TIFF picture, or an MP4, MOV, MKV, WebM or AVI clip"
_HEAD = 64 * 1024


@dataclass(frozen=True)
class Upload:
    """A body that has come whole.

    Attributes:
        content: its bytes, or the file that holds them.
        kind: of the media, as its first bytes say.
        size: bytes.
    """

    content: bytes | Path
    kind: MediaType
    size: int

    def close(self) -> None:
        """Remove the file, if there is one and it has not been taken elsewhere."""
        if isinstance(self.content, Path):
            self.content.unlink(missing_ok=True)


class Spool:
    """A folder for large bodies; each server process has one of its own.

    Args:
        parent: of the folder. What killed servers left there is removed.
        seconds: that sending a body may take.

    Raises:
        StorageError: the folder cannot be made.
    """

    def __init__(self, parent: Path, seconds: float) -> None:
        self._seconds = seconds
        self._held = ExitStack()
        self.folder = self._held.enter_context(temporary_folder("process-", parent))

    def close(self) -> None:
        """Remove the folder."""
        self._held.close()

    async def receive(self, request: Request, *, to_file: bool = False) -> Upload:
        """Return what a request sends: the body, or the one file of a form.

        Args:
            request: whose ``receive`` bounds the bytes.
            to_file: keep even a small body in a file, and give a large one more time.

        Raises:
            Refusal: it is too slow, empty, not media, a form that cannot be read, or more than the
                disk takes. Nothing of it is left then.
        """
        body = _Body(self.folder, 0 if to_file else IN_MEMORY)
        began = current_time()
        try:
            with fail_after(self._seconds) as scope:
                async for chunk in _file_bytes(request):
                    await body.add(chunk)
                    if to_file:  # a film may take its time, but not for ever
                        scope.deadline = began + self._seconds + body.size / SLOWEST
            return await body.upload()
        except TimeoutError:
            raise Refusal(
                408, "slow", f"the body was not sent within {current_time() - began:.0f} seconds",
                "send it again",
            ) from None  # fmt: skip
        except ClientDisconnect:  # no one reads the answer; its status is for the log
            raise Refusal(499, "gone", "the client has gone", "send it again") from None
        finally:
            body.close()


class _Body:
    def __init__(self, folder: Path, in_memory: int) -> None:
        self._folder = folder
        self._in_memory = in_memory
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.size = 0
        self._head = b""
        self._kept = False

    async def add(self, chunk: bytes) -> None:
        if len(self._head) < _HEAD:
            self._head += chunk[: _HEAD - len(self._head)]
        self.size += len(chunk)
        if self._file is None and self.size <= self._in_memory:
            self._parts.append(chunk)
            return
        await _in_thread(self._write, chunk)

    def _write(self, chunk: bytes) -> None:
        if self._file is None:
            self._file = NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115
            self._file.writelines(self._parts)
            self._parts.clear()
        self._file.write(chunk)

    async def upload(self) -> Upload:
        if not self.size:
            raise Refusal(
                400, "empty", "the body is empty",
                "send a picture or clip: curl --data-binary @face.jpg URL",
            )  # fmt: skip
        kind = _kind(self._head)
        if self._file is None:
            return Upload(b"".join(self._parts), kind, self.size)
        await _in_thread(self._file.close)  # writes what is buffered: the disk may be full by now
        self._kept = True
        return Upload(Path(self._file.name), kind, self.size)

    def close(self) -> None:
        if self._file is not None and not self._kept:
            with suppress(OSError):  # a full disk refuses what is buffered once more
                self._file.close()
            Path(self._file.name).unlink(missing_ok=True)


async def _in_thread(work: Callable[..., object], *given: object) -> None:
    try:
        await to_thread.run_sync(work, *given)
    except OSError as error:
        raise Refusal(
            503, "disk", f"the upload cannot be kept: {error.strerror}",
            "try again later", {"Retry-After": "30"},
        ) from error  # fmt: skip


async def _file_bytes(request: Request) -> AsyncIterator[bytes]:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        async for chunk in request.stream():
            yield chunk
        return
    form = FormFile(kind)
    async for chunk in request.stream():
        yield form.feed(chunk)
    form.end()


def _kind(head: bytes) -> MediaType:
    """Return of what kind media are; their first bytes say so, and no one else."""
    if starts_like_picture(head[:16]):
        # Of a kind whose size is known, or whose header lies further behind.
        if len(head) == _HEAD or picture_size(head) != (0, 0):
            return "image"
    elif starts_like_video(head):
        return "video"
    raise Refusal(
        415, "not_media", "the body is no picture and no clip",
        f"send the bytes of a {KINDS}: curl --data-binary @face.jpg URL",
    )  # fmt: skip
