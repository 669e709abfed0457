"""The bench's native part: the harness notices what a device does wrong; examples run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from verify import macos, native, resources
from verify import spec as specs
from verify.bench import devices, record
from verify.bench.devices import Harness, NativeDevice
from verify.bench.model import Operations, Workload
from verify.errors import EngineMissing, VerifyError

pytest_plugins = ["mac_fixtures"]

SPEC = specs.load()
ROOT = Path(__file__).parent.parent
NATIVE = resources.root() / "native"
SMALL = Workload("small", 512, 3)

# A device that computes at once, on the processor, and can be told to do it badly.
FAKE = r"""
#include <cstdlib>
#include <cstring>

#include "bench/driver.hpp"

namespace mpsverify::bench {
namespace {

const char* sickness() {
    const char* text = std::getenv("FAKE_SICKNESS");
    return text == nullptr ? "" : text;
}

class Nothing final : public Queue {
  public:
    void drain() override {}
};

class Sick final : public Encoder {
  public:
    explicit Sick(std::uint32_t elements) : words_(elements) {}
    void create() override {}
    void encode(std::uint32_t iterations) override {
        ++count_;
        const bool now = count_ == 5;
        if (now && std::strcmp(sickness(), "drop") == 0) return;
        if (now && std::strcmp(sickness(), "twice") == 0) iterations *= 2;
        std::size_t end = words_.size();
        if (now && std::strcmp(sickness(), "tear") == 0) end -= 1;
        for (std::size_t i = 0; i < end; ++i) {
            for (std::uint32_t k = 0; k < iterations; ++k) {
                words_[i] = words_[i] * kMultiplier + kIncrement;
            }
        }
    }
    void destroy(Wait) override {}
    void wait(Wait) override {}
    void write(const std::uint32_t* words) override {
        std::memcpy(words_.data(), words, 4 * words_.size());
    }
    void read(std::uint32_t* words) override {
        std::memcpy(words, words_.data(), 4 * words_.size());
    }
    double execution_ns(std::uint32_t iterations) override {
        encode(iterations);
        return -1;
    }

  private:
    std::vector<std::uint32_t> words_;
    int count_ = 0;
};

class Fake final : public Driver {
  public:
    Fake() {
        if (std::strcmp(sickness(), "absent") == 0) throw Unavailable("unplugged");
    }
    std::vector<std::pair<std::string, std::string>> describe() override {
        return {{"device", "fake"}};
    }
    std::unique_ptr<Queue> queue() override { return std::make_unique<Nothing>(); }
    std::unique_ptr<Encoder> encoder(Queue&, std::uint32_t elements) override {
        return std::make_unique<Sick>(elements);
    }
};

}  // namespace
std::unique_ptr<Driver> open_driver() { return std::make_unique<Fake>(); }
}  // namespace mpsverify::bench
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness with the device above."""
    source = tmp_path_factory.mktemp("bench") / "native"
    for part in ("bench", "core", "mains"):
        shutil.copytree(NATIVE / part, source / part)
    (source / "bench" / "fake.cpp").write_text(FAKE)
    sources = (*devices.VULKAN.sources[:-1], "bench/fake.cpp")
    return native.build(native.Target("mpsv_bench_fake", sources), SPEC, source)


def opened(
    program: Path, monkeypatch: pytest.MonkeyPatch, sickness: str, threads: int = 1
) -> tuple[int, int, str]:
    """Verified operations, wrong words, trouble, under every strategy."""
    monkeypatch.setenv("FAKE_SICKNESS", sickness)
    device = NativeDevice("fake", Harness(program))
    try:
        names = ("unguarded", "mutexSubmission", *(s.name for s in SPEC.strategies))
        samples = [
            device.run(Operations(SMALL, threads, "private", 2, "block", name), 0.002)
            for name in names
        ]
    finally:
        device.close()
    trouble = next((s.trouble for s in samples if s.trouble), "")
    return min(s.verified for s in samples), sum(s.wrong for s in samples), trouble


def test_a_healthy_device_is_believed(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verified, wrong, trouble = opened(fake, monkeypatch, "", threads=2)
    assert verified > 2
    assert (wrong, trouble) == (0, "")


@pytest.mark.parametrize(("sickness", "words"), [("drop", 512), ("twice", 512), ("tear", 1)])
def test_a_sick_device_is_caught(
    fake: Path, monkeypatch: pytest.MonkeyPatch, sickness: str, words: int
) -> None:
    verified, wrong, _ = opened(fake, monkeypatch, sickness)
    assert verified == 0
    assert wrong == 2 * words  # two in flight, each with a buffer of its own


def test_an_absent_device_says_why(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SICKNESS", "absent")
    with pytest.raises(EngineMissing, match="unplugged"):
        Harness(fake)


@pytest.mark.parametrize(
    ("request_line", "words"),
    [
        ("jump", "unknown verb jump"),
        ("run threads=0", "is not between"),
        ("run threads", "not name=value"),
        ("split elements=1", "iterations is missing"),
    ],
)
def test_requests_that_make_no_sense(fake: Path, request_line: str, words: str) -> None:
    harness = Harness(fake)
    with pytest.raises(VerifyError, match=words):
        harness.ask(request_line)
    harness.close()


def test_a_harness_that_dies_is_reported(fake: Path) -> None:
    harness = Harness(fake)
    harness.process.kill()
    harness.process.wait()
    with pytest.raises(VerifyError, match="ended with -9"):
        harness.ask("info")


def test_a_tiny_run_on_the_software_device(tmp_path: Path) -> None:
    """Everything but the amount is as in a real run."""
    from verify.cli import run

    try:
        devices.open_device("vulkan", SPEC).close()
    except EngineMissing as reason:
        pytest.skip(str(reason))
    file = tmp_path / "x.json"
    line = ["bench", "batch", "--quick", "--driver", "vulkan", "--quiet", "--time", "2"]
    line += ["--threads", "1,2", "--batches", "1,2", "--data", "4096", "--output", str(file)]
    # On a busy machine the two identical configurations may disagree: then it says so.
    assert run(line) in (0, 2)
    (result,) = record.read(file)
    outputs = next(check for check in result["checks"] if check["name"] == "outputs verified")
    assert outputs["ok"], outputs["text"]
    assert result["guarded"]["unguarded"] > 100


@pytest.mark.slow
def test_every_bench_has_a_quick_form(tmp_path: Path) -> None:
    for name in ("scaling", "pipeline", "batch", "guard"):
        line = [sys.executable, "-m", "verify", "bench", name, "--quick", "--quiet"]
        done = subprocess.run(
            [*line, "--output", str(tmp_path / name)], capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 2), done.stderr


# --- Sources --------------------------------------------------------------------------------------


def test_the_binary_shader_is_the_compiled_source(tmp_path: Path) -> None:
    compiler = shutil.which("glslangValidator")
    if compiler is None:
        pytest.skip("glslangValidator is not installed (apt: glslang-tools)")
    made = tmp_path / "made.inc"
    line = [compiler, "-V", "--target-env", "vulkan1.1", "-x", "-o", str(made)]
    subprocess.run([*line, str(NATIVE / "bench" / "advance.comp")], check=True, capture_output=True)

    def words(path: Path) -> list[int]:
        found = re.findall(r"0x[0-9a-fA-F]{8}", path.read_text())
        numbers = [int(word, 16) for word in found]
        return [*numbers[:2], *numbers[3:]]  # the third says which compiler it was

    assert len(words(made)) > 100
    assert words(made) == words(NATIVE / "bench" / "advance.spv.inc")


@pytest.mark.slow
def test_the_cuda_driver_compiles() -> None:
    try:
        assert os.access(devices._build_cuda(SPEC), os.X_OK)
    except EngineMissing as reason:
        if "not found" not in str(reason):
            raise
        pytest.skip(str(reason))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", macos.ARCHITECTURES)
def test_the_metal_driver_compiles(tmp_path: Path, metal_cpp: Path, architecture: str) -> None:
    file = macos.build(devices.METAL, architecture, SPEC, tmp_path / "bench", metal_cpp)
    assert file.read_bytes()[:4] == b"\xcf\xfa\xed\xfe"  # MH_MAGIC_64


# --- Examples -------------------------------------------------------------------------------------


def test_the_thread_pool_example(tmp_path: Path) -> None:
    example = ROOT / "examples" / "thread_pool.py"
    line = [sys.executable, str(example), "--workers", "3", "--requests", "30"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "30 results compared, 0 different" in done.stdout
    # A tenant that answers with something else every time is noticed.
    sick = tmp_path / "sick.py"
    sick.write_text(
        example.read_text().replace("str(request).encode()", "str(time.perf_counter()).encode()")
    )
    done = subprocess.run(
        [line[0], str(sick), *line[2:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "30 different" in done.stdout
