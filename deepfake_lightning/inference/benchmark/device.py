"""The machine that a figure was measured on, without a name of it or of its user."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_PACKAGES = ("deepfake-lightning", "onnxruntime", "torch", "numpy", "opencv-python-headless", "av",
             "decord", "timm")  # fmt: skip
_CGROUPS = Path("/sys/fs/cgroup")


class GpuRecord(BaseModel):
    """A GPU.

    Attributes:
        name: as its driver calls it.
        memory_gb: 10^9 bytes.
        driver: version; None where it is not told.
        cuda: version that PyTorch was built with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    memory_gb: float
    driver: str | None
    cuda: str | None


class DeviceRecord(BaseModel):
    """A machine.

    Attributes:
        schema_version: version of this record (``schema`` in files).
        cpu: model.
        architecture: ``x86_64``, ...
        cores: that this process may run on.
        cores_in_machine: that the system has.
        cpu_quota: cores' worth of time that a container may use; None without such a limit.
        memory_gb: that this process may use at most, 10^9 bytes; None where it is not told.
        virtual: a virtual machine, whose cores others may use, too; None where it is not told.
        governor: the frequency governor; anything but ``performance`` makes figures vary. None
            where it is not told.
        os: name and version, and the kernel's.
        python: version.
        packages: versions of those that have a part in speed.
        gpu: where one is used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    cpu: str
    architecture: str
    cores: int
    cores_in_machine: int
    cpu_quota: float | None
    memory_gb: float | None
    virtual: bool | None
    governor: str | None
    os: str
    python: str
    packages: dict[str, str]
    gpu: GpuRecord | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)


def device_record(gpu: GpuRecord | None = None) -> DeviceRecord:
    """Return what this machine is; what a system does not tell is None."""
    about = _text(Path("/proc/cpuinfo"))
    model = re.search(r"^model name\s*:\s*(.+)$", about, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", about, re.MULTILINE)
    machine = os.cpu_count() or 1
    return DeviceRecord(
        cpu=model[1].strip() if model else platform.processor() or "unknown",
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine,
        cores_in_machine=machine,
        cpu_quota=_cpu_quota(),
        memory_gb=_memory_gb(),
        virtual="hypervisor" in flags[1].split() if flags else None,
        governor=_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or None,
        os=_system(),
        python=platform.python_version(),
        packages={name: found for name in _PACKAGES if (found := _installed(name))},
        gpu=gpu,
    )


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = ""
    return f"{name}, {platform.system()} {platform.release()}".removeprefix(", ")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_quota() -> float | None:
    """Return the tightest quota of the control groups of this process, in cores."""
    quotas = []
    for text in _limits("cpu.max"):
        quota, _, period = text.partition(" ")
        with suppress(ValueError, ZeroDivisionError):  # "max": no limit
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _memory_gb() -> float | None:
    sizes = []
    with suppress(ValueError, OSError):
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for text in _limits("memory.max"):
        with suppress(ValueError):
            sizes.append(int(text))
    return round(min(sizes) / 1e9, 1) if sizes else None


def _limits(name: str) -> list[str]:
    """Return a setting of each control group (version 2) that this process is in."""
    own = re.search(r"^0::/(.*)$", _text(Path("/proc/self/cgroup")), re.MULTILINE)
    group = _CGROUPS / (own[1] if own else "")
    groups = [group, *group.parents]
    found = [_text(each / name) for each in groups if each.is_relative_to(_CGROUPS)]
    return [text for text in found if text]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
