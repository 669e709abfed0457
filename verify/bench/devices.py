"""The drivers: which can run here, why the others cannot, and how to ask them for a measurement."""

from __future__ import annotations

import os
import platform
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from verify import answers, cxx, native
from verify.bench.model import Calls, Operations, Sample, Workload
from verify.children import tied
from verify.errors import EngineMissing, VerifyError
from verify.spec import Spec

NO_DEVICE = 5
"""Exit code of a harness whose driver finds no device."""

_HARNESS = ("mains/bench.cpp", *native.CORE)
VULKAN = native.Target(
    "mpsv_bench_vulkan", (*_HARNESS, "bench/vulkan.cpp"), libraries=("-lvulkan",)
)
CUDA = native.Target("mpsv_bench_cuda", (*_HARNESS, "bench/cuda.cu"))
METAL = native.Target("mpsv_bench_metal", (*_HARNESS, "bench/metal.cpp"), libraries=("-lobjc",))
COST = native.Target("mpsv_bench_cost", ("mains/cost.cpp", *native.CORE))

MEASURED = ("cuda", "vulkan", "metal")
DRIVERS = (*MEASURED, "sim")
_PATIENCE = 120.0
"""Seconds that an answer may take beyond the measurement: a hang must end."""


class Device(Protocol):
    """Something that runs operations.

    Attributes:
        name: The driver.
        info: What the device is and what the words mean there.
        measured: False if it predicts.
        waits: The kinds of wait that it has, its usual one first.
    """

    name: str
    info: dict[str, str]
    measured: bool
    waits: tuple[str, ...]

    def run(self, config: Operations, seconds: float) -> Sample:
        """Measure one configuration once, for about so many seconds."""

    def execution(self, workload: Workload, samples: int) -> float | None:
        """Mean time of one kernel by the device's own clock, in nanoseconds; None without one."""

    def close(self) -> None:
        """End it."""


class Harness:
    """A process that answers one line with one line (`native/bench/protocol.hpp`).

    Args:
        executable: The built harness.

    Raises:
        EngineMissing: It finds no device; the message says why.
        VerifyError: It does not answer.
    """

    def __init__(self, executable: Path) -> None:
        self.path = executable
        self.process = subprocess.Popen(
            tied([str(executable)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self._pending = b""
        self.info: dict[str, str] = self.ask("info")

    def ask(self, line: str, seconds: float = 0.0) -> dict[str, Any]:
        """One request.

        Args:
            line: The request.
            seconds: How long it is meant to take.

        Raises:
            EngineMissing: There is no device.
            VerifyError: The harness died, hangs, or reports an error.
        """
        process = self.process
        assert process.stdin is not None and process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise self._dead(line) from None
        until = time.monotonic() + seconds + _PATIENCE
        while b"\n" not in self._pending:
            left = max(0.0, until - time.monotonic())
            ready, _, _ = select.select([process.stdout], [], [], left)
            if not ready:
                self.close()
                raise VerifyError(f"{self.path.name}: no answer in {_PATIENCE:.0f} s to '{line}'")
            more = os.read(process.stdout.fileno(), 1 << 16)
            if not more:
                raise self._dead(line)
            self._pending += more
        answer, _, self._pending = self._pending.partition(b"\n")
        with answers.taken_from(f"{self.path.name} (asked '{line}')", "build it again"):
            data: dict[str, Any] = answers.loads(answer)
            if "error" in data:
                raise VerifyError(f"{self.path.name}: {data['error']} (asked '{line}')")
            return dict(data.items())

    def _dead(self, line: str) -> VerifyError:
        process = self.process
        assert process.stderr is not None  # noqa: S101
        code = process.wait()
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
        self.close()
        if code == NO_DEVICE:
            return EngineMissing(said[-1] if said else "no device")
        return VerifyError(
            f"{self.path.name} ended with {code} at '{line}': {said[-1] if said else 'no message'}"
        )

    def close(self) -> None:
        """End the process, if it has not ended."""
        process = self.process
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class NativeDevice:
    """A device behind a harness.

    Args:
        name: The driver.
        harness: The process.
    """

    measured = True

    def __init__(self, name: str, harness: Harness) -> None:
        self.name, self.harness = name, harness
        self.info = harness.info
        # A software device needs the processors that a polling thread would keep busy.
        self.waits: tuple[str, ...] = ("block", "drain")
        if name == "cuda":
            self.waits = ("spin", *self.waits)

    def run(self, config: Operations, seconds: float) -> Sample:
        """See `Device`."""
        data = self.harness.ask(config.request(seconds), seconds)
        expected = 3 * data["verified"] if config.strategy not in _PLAIN else 0
        trouble = ""
        if data["skipped"]:
            trouble = f"the guard skipped {data['skipped']} calls on live encoders"
        elif not data["wrong"] and data["calls"] != expected:
            trouble = f"{data['calls']} calls came through the guard, not {expected}"
        return Sample(
            value=data["operations"] * config.batch / data["seconds"],
            operations=data["operations"],
            submission_ns=data["submission_ns"],
            wait_ns=data["wait_ns"],
            verified=data["verified"],
            wrong=data["wrong"],
            trouble=trouble,
        )

    def execution(self, workload: Workload, samples: int) -> float | None:
        """See `Device`."""
        data = self.harness.ask(
            f"split elements={workload.elements} iterations={workload.iterations} samples={samples}"
        )
        if data["wrong"]:
            raise VerifyError(f"{self.name}: the timed kernel computed {data['wrong']} wrong words")
        time_ns = float(data["execution_ns"])
        return time_ns if time_ns >= 0 else None

    def close(self) -> None:
        """See `Device`."""
        self.harness.close()


_PLAIN = ("unguarded", "mutexSubmission", "mutexOperation")


class CallCosts:
    """Guarded calls without a device; values in nanoseconds a call of one thread.

    Args:
        spec: The strategies.

    Raises:
        EngineMissing: There is no compiler.
    """

    name = "processors"
    measured = True
    waits: tuple[str, ...] = ()

    def __init__(self, spec: Spec) -> None:
        self.harness = Harness(native.build(COST, spec))
        self.info = self.harness.info

    def run(self, config: Calls, seconds: float) -> Sample:
        """See `Device`."""
        data = self.harness.ask(config.request(seconds), seconds)
        calls: int = data["calls"]
        return Sample(
            value=data["seconds"] * 1e9 * config.threads / calls,
            operations=calls,
            # Calls that lost no update; where threads meet without a lock, updates may get lost.
            verified=data["counted"],
        )

    def close(self) -> None:
        """See `Device`."""
        self.harness.close()


def open_device(name: str, spec: Spec) -> Device:
    """Build and open a driver.

    Args:
        name: One of `DRIVERS`.
        spec: The strategies.

    Raises:
        EngineMissing: It cannot run here; the message says why and what to do.
        VerifyError: It does not compile, or does not answer.
    """
    if name == "sim":
        from verify.bench.sim import SimDevice

        return SimDevice(spec)
    return NativeDevice(name, Harness(_BUILD[name](spec)))


def _build_cuda(spec: Spec) -> Path:
    """Build with nvcc, which takes other options than a C++ compiler; kept in the cache as well."""
    found = shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if found is None:
        raise EngineMissing("nvcc was not found; install the CUDA toolkit")
    # The device of this machine, if it has one; nvcc's default otherwise.
    arch = ["-arch=native"] if Path("/dev/nvidiactl").exists() else []
    flags = ("-std=c++17", "-O2", *arch, "-Xcompiler", ",".join(cxx.HOST))
    try:
        return native.build(CUDA, spec, found=cxx.named(found, flags=flags))
    except VerifyError as error:
        raise EngineMissing(f"nvcc cannot build the harness: {error}") from None


def _build_metal(spec: Spec) -> Path:
    if platform.system() != "Darwin":
        raise EngineMissing("Metal is macOS's; the driver has been compiled for it, never run")
    headers = os.environ.get("METAL_CPP", "")
    if not (Path(headers) / "Metal" / "Metal.hpp").is_file():
        raise EngineMissing("metal-cpp is missing; set METAL_CPP to the directory that has Metal/")
    return native.build(native.with_metal(METAL, Path(headers)), spec)


_BUILD: dict[str, Callable[[Spec], Path]] = {
    "cuda": _build_cuda,
    "vulkan": lambda spec: native.build(VULKAN, spec),
    "metal": _build_metal,
}
