"""Tenants of a server, each with a thread of a pool and an encoder of its own.

    python examples/thread_pool.py --workers 8

On macOS with PyTorch, a tenant is a model on the GPU, and the guard (strategy perEncoder) is
between PyTorch and the driver.  Elsewhere a stand-in does work outside Python's global lock, and a
lock for each encoder is all that the guard would be.  Either way every result is compared with
what one thread computes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Tenant = Callable[[int], bytes]


def standin(number: int) -> Tenant:
    """A tenant without a GPU: its lock is its encoder's, as in perEncoder."""
    encoder = threading.Lock()

    def infer(request: int) -> bytes:
        with encoder:
            salt = f"tenant {number}".encode()
            return hashlib.pbkdf2_hmac("sha256", str(request).encode(), salt, 3000)

    return infer


def metal(number: int) -> Tenant:
    """A tenant on Apple's GPU."""
    torch: Any = importlib.import_module("torch")
    torch.manual_seed(number)
    model = torch.nn.Linear(64, 64).to("mps").eval()

    def infer(request: int) -> bytes:
        with torch.no_grad():
            values = model(torch.full((64,), float(request), device="mps"))
        return bytes(values.cpu().numpy().tobytes())

    return infer


def tenants(count: int) -> tuple[list[Tenant], str]:
    """Tenants, and what they run on."""
    if platform.system() == "Darwin" and importlib.util.find_spec("torch") is not None:
        torch: Any = importlib.import_module("torch")
        if torch.backends.mps.is_available():
            from verify import guard

            guard.install("perEncoder")
            return [metal(n) for n in range(count)], "Metal, guarded with perEncoder"
    return [standin(n) for n in range(count)], "a stand-in for a GPU"


def serve(pool: ThreadPoolExecutor, users: Sequence[Tenant], requests: int) -> list[bytes]:
    """All requests of all tenants, in the order of the requests."""
    futures = [pool.submit(users[r % len(users)], r) for r in range(requests)]
    return [future.result() for future in futures]


def main() -> int:
    """Serve with one worker and with several; 1 if any result differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=8, help="threads, and tenants")
    parser.add_argument("--requests", type=int, default=400)
    options = parser.parse_args()
    users, device = tenants(options.workers)
    results, seconds = [], []
    for workers in (1, options.workers):
        with ThreadPoolExecutor(max_workers=workers) as pool:
            serve(pool, users, len(users))  # warm-up
            start = time.perf_counter()
            results.append(serve(pool, users, options.requests))
            seconds.append(time.perf_counter() - start)
        sys.stdout.write(
            f"{workers} worker(s) on {device}: {options.requests / seconds[-1]:,.0f} requests/s\n"
        )
    different = sum(a != b for a, b in zip(*results, strict=True))
    sys.stdout.write(f"{options.requests} results compared, {different} different\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
