"""What a benchmark found, as it is kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.inference.benchmark.device import DeviceRecord
from deepfake_lightning.inference.benchmark.plan import RuntimeKind
from deepfake_lightning.schemas.calibration import MediaType

Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class HowRun(_Record):
    """What runs a network, and how.

    Attributes:
        runtime: ``onnx`` or ``torch``.
        device: ``cpu``, ``cuda``, ...
        precision: ``fp32`` or ``bf16``.
        threads: that one call may use on a CPU.
    """

    runtime: RuntimeKind
    device: str
    precision: Literal["fp32", "bf16"]
    threads: int


class NetworkRow(HowRun):
    """The network alone: inputs that are in memory -> logits that are in memory.

    On a GPU that holds copying both ways, and waiting until all is done.

    Attributes:
        batch: pictures in a call.
        size: side of the input, pixels.
        exported: the graph was made for this measurement, from the detector's weights, since
            its own has another size or there is none.
        calls: how many were timed, in ``rounds`` rounds, in turns with all other rows.
        p50_ms, p95_ms, p99_ms: of a call.
        pictures_per_second: of one process.
        rounds_ms: median of the calls of each round.
        spread: (largest - smallest) of these, over their median.
        cores_busy: CPU seconds over wall-clock seconds: how many cores it had. Less than it may use
            (``threads``) says that it waited for them, or for a GPU.
        peak_memory_mb: resident memory of a process that does this alone, its peak, 10^6 bytes;
            None where the system does not tell.
        peak_gpu_memory_mb: what PyTorch held of the GPU's; None on a CPU.
        cost_per_1000: of 1,000 pictures, with one process on the machine.
    """

    batch: int
    size: int
    exported: bool
    calls: int
    p50_ms: Time
    p95_ms: Time
    p99_ms: Time
    pictures_per_second: Rate
    rounds_ms: tuple[Time, ...]
    spread: Time
    cores_busy: Time
    peak_memory_mb: float | None
    peak_gpu_memory_mb: float | None
    cost_per_1000: Time | None


class SameNetwork(_Record):
    """How far rows of one size are apart on the same inputs: they time the same network.

    Attributes:
        size: side of the input, pixels.
        rows: how many were compared.
        pictures: that all of them were shown.
        logit: the largest difference of a logit.
    """

    size: int
    rows: int
    pictures: int
    logit: Time


class Parts(_Record):
    """Where the time of an item goes, mean seconds an item; together they are the whole.

    Attributes:
        decode: opening, reading and decoding.
        faces: finding, following and cutting out faces.
        model: the network.
        other: all else: inputs made of crops, image quality, the score and the verdict.
    """

    decode: Time
    faces: Time
    model: Time
    other: Time


class MediaRow(HowRun):
    """Clips, or pictures, from file to verdict, through the engine of ``predict``.

    Attributes:
        media_type: ``video`` or ``image``.
        source: the data's name.
        drawn: they were drawn by this package, for want of real ones.
        items: different clips or pictures.
        without_face: of these, those in which no face was found: their network had nothing to do.
        unreadable: files that could not be read; they are not timed.
        timed: how many assessments were timed.
        p50_ms, p95_ms, p99_ms: of an item.
        seconds: mean of an item.
        parts: of ``seconds``.
        faces: scored, mean of an item.
        frames: looked at, mean of an item; 1 in a picture.
        length_seconds, width, height: smallest and largest; length is None of pictures.
        per_second: items a second of one process.
        workers: processes of the second measurement; 1: there was none.
        per_second_with_workers: items a second of all of them; None without one.
        peak_memory_mb: as in :class:`NetworkRow`, of one process.
        cost_per_1000: of 1,000 items, at the highest of these rates.
    """

    media_type: MediaType
    source: str
    drawn: bool
    items: int
    without_face: int
    unreadable: int
    timed: int
    p50_ms: Time
    p95_ms: Time
    p99_ms: Time
    seconds: Time
    parts: Parts
    faces: Time
    frames: Time
    length_seconds: tuple[float, float] | None
    width: tuple[int, int]
    height: tuple[int, int]
    per_second: Rate
    workers: int
    per_second_with_workers: Rate | None
    peak_memory_mb: float | None
    cost_per_1000: Time | None


class BenchmarkRecord(_Record):
    """What a benchmark found.

    Attributes:
        schema_version: version of this record (``schema`` in files).
        created: UTC, RFC 3339.
        kind: ``bundle`` or ``checkpoint``.
        version: of the detector.
        digest: the bundle's, or the checkpoint's SHA-256.
        backbone: timm's name of the network.
        demo: it was trained on drawn faces, which has no part in its speed.
        size: side of its own input, pixels.
        size_mb: all files of the bundle, or the checkpoint's, 10^6 bytes.
        device: the machine.
        load: the machine's load average (1 minute) before and after; a load that this benchmark
            did not make shows in its figures.
        price_per_hour: of this machine, as given.
        network, same_network, media: see there.
        notes: what a reader has to know of the figures, in sentences.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    created: str
    kind: Literal["bundle", "checkpoint"]
    version: str
    digest: str
    backbone: str
    demo: bool
    size: int
    size_mb: float
    device: DeviceRecord
    load: tuple[float, float] | None
    price_per_hour: float | None
    network: tuple[NetworkRow, ...]
    same_network: tuple[SameNetwork, ...]
    media: tuple[MediaRow, ...]
    notes: tuple[str, ...]

    def row(self, runtime: RuntimeKind, batch: int, size: int | None = None) -> NetworkRow | None:
        """Return a row of the network, None where it was not timed; size None: its own."""
        wanted = (runtime, batch, size or self.size)
        rows = (row for row in self.network if (row.runtime, row.batch, row.size) == wanted)
        return next(rows, None)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)
