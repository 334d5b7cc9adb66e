"""What a notebook shows of a mistake, or of work that was stopped: one sentence, where Python shows the way there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from course_lib.core.errors import CourseError

PACKAGE = Path(__file__).resolve().parents[1]


def say_one_sentence() -> None:
    """From now on, in IPython: the sentence of a CourseError, and of an interrupt how far our work came.

    `%tb` shows the traceback. Elsewhere both stay what they are.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if hasattr(shell, "set_custom_exc"):
        shell.set_custom_exc((CourseError, KeyboardInterrupt), _show)


def sentence(error: BaseException, traceback: TracebackType | None) -> str | None:
    """What is said of an error; None of an interrupt that reached nothing of ours."""
    if not isinstance(error, KeyboardInterrupt):
        return str(error) or type(error).__name__
    if notes := getattr(error, "__notes__", None):
        return notes[0]
    return "Stopped." if _is_ours(traceback) else None


def _is_ours(traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if PACKAGE in Path(traceback.tb_frame.f_code.co_filename).parents:
            return True
        traceback = traceback.tb_next
    return False


def _show(shell: Any, kind: type, error: BaseException, traceback: Any, tb_offset: int | None = None) -> None:
    said = sentence(error, traceback)
    if said is None:
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
        return
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, traceback  # for %tb and %debug
    # As ipykernel and IPython show what they have set as a traceback: here its one line.
    shell._showtraceback(kind, error, [said])
