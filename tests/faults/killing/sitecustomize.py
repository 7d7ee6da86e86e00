"""Kills a whole build with SIGKILL, without a message, at its N-th change of a file's name.

Python imports this before anything else in every process whose PYTHONPATH names this folder: the command, Beam's
workers and their decoding processes. TAGSCALE_TEST_EVENTS is a file that grows by a byte at each of these moments;
TAGSCALE_TEST_KILL is the number of the change at which to die, and "before" or "after" it.
"""

import os
import signal

_EVENTS = os.environ.get("TAGSCALE_TEST_EVENTS")
_NUMBER, _, _WHEN = os.environ.get("TAGSCALE_TEST_KILL", "0:before").partition(":")


def _dying(change):
    def changed(source, target, **options):
        if "/data/" not in os.fspath(target):
            return change(source, target, **options)
        descriptor = os.open(_EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, b".")
        number = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.close(descriptor)
        if number == int(_NUMBER) and _WHEN == "before":
            os.killpg(0, signal.SIGKILL)
        result = change(source, target, **options)
        if number == int(_NUMBER):
            os.killpg(0, signal.SIGKILL)
        return result

    return changed


if _EVENTS:
    os.replace = _dying(os.replace)  # payloads, tables, the plan, the manifest
    os.link = _dying(os.link)  # done marks
