"""The native guard under the deterministic scheduler, as a library bound with ctypes.

The structures and functions are those of `native/capi/mpsv.h`.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from verify import native
from verify.errors import VerifyError
from verify.spec import DEFAULT_FLAGS, KINDS, MODES, SCOPES, LockScheme, Spec

ABI = 1
NONE = 255


class CScheme(ctypes.Structure):
    """`mpsv_scheme`."""

    _fields_ = (
        ("check", ctypes.c_uint8),
        ("count", ctypes.c_uint8 * 4),
        ("scope", (ctypes.c_uint8 * 4) * 4),
        ("mode", (ctypes.c_uint8 * 4) * 4),
    )


class CConfig(ctypes.Structure):
    """`mpsv_config`."""

    _fields_ = (
        ("threads", ctypes.c_uint32),
        ("encoders", ctypes.c_uint32),
        ("blocks", ctypes.c_uint32),
        *((flag, ctypes.c_uint8) for flag in DEFAULT_FLAGS),
        ("assert_held", ctypes.c_uint8),
        ("stream", ctypes.c_uint32 * 8),
        ("home", ctypes.c_uint32 * 8),
        ("queue", ctypes.c_uint32 * 8),
    )


class CEvent(ctypes.Structure):
    """`mpsv_event`."""

    _fields_ = tuple(
        (name, ctypes.c_uint8)
        for name in ("thread", "encoder", "kind", "step", "pc", "block", "skipped", "unused")
    )


class CState(ctypes.Structure):
    """`mpsv_state`."""

    _fields_ = (
        ("impl", ctypes.c_uint8 * 8),
        ("alive", ctypes.c_uint8 * 8),
        ("owner", ctypes.c_uint8 * 16),
        ("ready", ctypes.c_uint8 * 16),
        ("pc", ctypes.c_uint8 * 8),
        ("kind", ctypes.c_uint8 * 8),
        ("encoder", ctypes.c_uint8 * 8),
        ("block", ctypes.c_uint8 * 8),
    )


class CEdge(ctypes.Structure):
    """`mpsv_edge`."""

    _fields_ = (("source", ctypes.c_uint32), ("target", ctypes.c_uint32), ("event", CEvent))


class COutcome(ctypes.Structure):
    """`mpsv_outcome`."""

    _fields_ = (
        ("schedules", ctypes.c_uint64),
        ("steps", ctypes.c_uint64),
        ("deadlocks", ctypes.c_uint64),
        ("skipped", ctypes.c_uint64),
        ("unexplained", ctypes.c_uint64),
        ("failures", ctypes.c_uint64),
        ("parallel", ctypes.c_uint64),
        ("faults", ctypes.c_uint64 * 8),
        ("complete", ctypes.c_uint8),
        ("seconds", ctypes.c_double),
        ("first", (ctypes.c_char * 512) * 8),
        ("deadlock", ctypes.c_char * 512),
        ("failure", ctypes.c_char * 128),
    )


class Library:
    """The built shared library.

    Args:
        path: The file.

    Raises:
        VerifyError: It cannot be loaded or has another ABI.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.c = ctypes.CDLL(str(path))
        except OSError as error:
            raise VerifyError(
                f"{path}: cannot be loaded: {error}; delete it and try again"
            ) from None
        self._declare()
        found = self.c.mpsv_abi()
        if found != ABI:
            raise VerifyError(f"{path}: has ABI {found}, not {ABI}; delete it and try again")
        self.steps = self._names(self.c.mpsv_step_name)
        self.points = self._names(self.c.mpsv_pc_name)
        self.faults = self._names(self.c.mpsv_fault_name)
        self.kinds = self._names(self.c.mpsv_kind_name)

    def _declare(self) -> None:
        c, u32, u64, session = self.c, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
        text, pointer = ctypes.c_char_p, ctypes.POINTER
        states, edges = ((pointer(pointer(c)), pointer(u64)) for c in (CState, CEdge))
        signatures: dict[str, tuple[Any, list[Any]]] = {
            "mpsv_abi": (u32, []),
            "mpsv_strategy_count": (u32, []),
            "mpsv_strategy_name": (text, [u32]),
            "mpsv_strategy_scheme": (None, [u32, pointer(CScheme)]),
            "mpsv_step_name": (text, [u32]),
            "mpsv_pc_name": (text, [u32]),
            "mpsv_fault_name": (text, [u32]),
            "mpsv_kind_name": (text, [u32]),
            "mpsv_session_new": (session, [pointer(CConfig), pointer(CScheme)]),
            "mpsv_session_free": (None, [session]),
            "mpsv_session_reset": (None, [session]),
            "mpsv_dispatch": (ctypes.c_int, [session, u32, u32, u32]),
            "mpsv_step": (ctypes.c_int, [session, u32, u32]),
            "mpsv_drop": (ctypes.c_int, [session, u32]),
            "mpsv_can_dispatch": (ctypes.c_int, [session, u32, u32, u32]),
            "mpsv_can_drop": (ctypes.c_int, [session, u32]),
            "mpsv_choices": (u32, [session, u32, ctypes.c_uint8 * 16]),
            "mpsv_get_state": (None, [session, pointer(CState)]),
            "mpsv_thread_fault": (u32, [session, u32]),
            "mpsv_graph": (ctypes.c_int, [session, u64, *states, *edges]),
            "mpsv_trace": (pointer(CEvent), [session, pointer(u64)]),
            "mpsv_faults": (u32, [session]),
            "mpsv_failure": (text, [session]),
            "mpsv_skipped": (u64, [session, pointer(u64)]),
            "mpsv_run": (text, [session, text]),
            "mpsv_explore": (text, [session, text, u32, u64, ctypes.c_double, pointer(COutcome)]),
            "mpsv_walk": (text, [session, text, u64, u64, ctypes.c_double, pointer(COutcome)]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(c, name)
            function.restype, function.argtypes = result, arguments

    @staticmethod
    def _names(name: Any) -> tuple[str, ...]:
        names: list[str] = []
        while (word := name(len(names))) is not None:
            names.append(word.decode())
        return tuple(names)

    def strategies(self) -> dict[str, CScheme]:
        """The strategy table that was compiled in."""
        table = {}
        for i in range(self.c.mpsv_strategy_count()):
            scheme = CScheme()
            self.c.mpsv_strategy_scheme(i, ctypes.byref(scheme))
            table[self.c.mpsv_strategy_name(i).decode()] = scheme
        return table


def load_library(spec: Spec, source: Path | None = None) -> Library:
    """The shared library with the strategy table of a spec, built if need be.

    Raises:
        EngineMissing: There is no compiler.
        VerifyError: It cannot be built or loaded.
    """
    return Library(native.build(native.LIBRARY, spec, source))


def c_scheme(scheme: LockScheme) -> CScheme:
    """A scheme for the C ABI.

    Raises:
        VerifyError: It asks for more than four locks in one call.
    """
    c = CScheme()
    c.check = scheme.check
    for k, kind in enumerate(KINDS):
        requests = scheme.locks[kind]
        if len(requests) > 4:
            raise VerifyError(f"{kind} asks for {len(requests)} locks; the guard takes at most 4")
        c.count[k] = len(requests)
        for i, request in enumerate(requests):
            c.scope[k][i] = SCOPES.index(request.scope)
            c.mode[k][i] = MODES.index(request.mode)
    return c
