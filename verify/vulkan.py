"""The guard on a real GPU API: Vulkan on a software device, judged by the validation layer.

Vulkan's rule is the model's: a command buffer must not be used by two threads at once, and neither
must the pool that it comes from.  With a pool for each buffer the default environment is modelled;
with one pool for all, beginning a buffer writes to a shared registry without a lock, and only a
lock for the whole process helps (the racy freelist).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from verify import answers, native
from verify.children import command_line, run_child
from verify.errors import EngineMissing
from verify.records.stress import VulkanRow, VulkanRun
from verify.spec import Spec, Strategy

NO_VULKAN = 5
TRIES = 4
"""Seeds that are tried before a strategy that is claimed to be unsafe counts as not caught."""


class VulkanDriver:
    """The campaign on Vulkan.

    Args:
        spec: The strategies.
        threads: Recording threads.
        seed: Of their choices.

    Raises:
        EngineMissing: There is no compiler or no Vulkan.
    """

    def __init__(self, spec: Spec, threads: int, seed: int) -> None:
        self.threads, self.seed = threads, seed
        self.executable = native.build(native.VULKAN, spec)
        self._control: VulkanRun | None = None

    def run(self, strategy: Strategy, seconds: float, note: Callable[[str], None]) -> VulkanRow:
        """Both pool arrangements of one strategy, and the control.

        Args:
            strategy: What the guard does.
            seconds: About how long.
            note: Told what is being done.
        """
        start = time.monotonic()
        row = VulkanRow(strategy.name, strategy.claims.safe)
        each = max(seconds / 4, 0.5)
        if self._control is None:
            note("control arm")
            self._control = self._arm(strategy, 0, each, until_flagged=True, guarded=False)
        row.control = self._control
        note("a pool for each command buffer")
        row.own_pools = self._arm(strategy, 0, each, until_flagged=not strategy.claims.safe)
        note("one pool for all")
        row.one_pool = self._arm(strategy, 1, each, until_flagged=True, tries=2)
        row.seconds = time.monotonic() - start
        self._judge(row)
        return row

    def _judge(self, row: VulkanRow) -> None:
        wrong, undecided = [], []
        if row.claim_safe and row.own_pools.flagged:
            wrong.append(f"the validation layer reports: {row.own_pools}")
        if not row.claim_safe and not row.own_pools.flagged:
            undecided.append(f"nothing was found in {row.own_pools.operations} operations")
        if not row.control.reported:  # a crash is no report of the layer's
            undecided.append("the control arm without the guard shows nothing")
        row.judge(wrong, undecided)

    def _arm(
        self, strategy: Strategy, pools: int, seconds: float, until_flagged: bool,
        guarded: bool = True, tries: int = TRIES,
    ) -> VulkanRun:  # fmt: skip
        total = VulkanRun()
        for attempt in range(tries if until_flagged else 2):
            run_once(self.executable, total, {
                "strategy": strategy.name, "threads": self.threads, "pools": pools,
                "seconds": seconds, "seed": self.seed + attempt, "guarded": int(guarded),
            })  # fmt: skip
            if until_flagged and (total.flagged if guarded else total.reported):
                break
        return total


def run_once(executable: Path, total: VulkanRun, arguments: dict[str, object]) -> None:
    """Run the harness in a process of its own and add what it showed.

    Raises:
        EngineMissing: There is no Vulkan here.
        VerifyError: The harness failed.
    """
    total.runs += 1
    done = run_child(command_line(executable, arguments), timeout=120)
    if done.timed_out:
        total.crashes += 1  # a corrupted heap may hang as well
        return
    if done.returncode == NO_VULKAN:
        raise EngineMissing(f"Vulkan cannot run here: {done.last_line}; see verify doctor")
    if done.returncode < 0:
        total.crashes += 1
        # The layer's first reports of a program that did not live to count them.
        said = done.stderr.splitlines()
        total.threading += "threading error reported" in said
        total.other += "other error reported" in said
        return
    ended = f"{executable.name} ended with {done.returncode} ({done.stderr.strip()[-200:]}) and"
    with answers.taken_from(ended, "see verify doctor"):
        data = answers.loads(done.stdout)
        counts = [answers.get(data, word, int) for word in ("operations", "threading", "other")]
        total.device = answers.get(data, "device", str)
    total.operations += counts[0]
    total.threading += counts[1]
    total.other += counts[2]
    total.device = data["device"]
