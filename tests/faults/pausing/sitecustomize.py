"""Makes a command pause at the N-th change of a file's name, so that a test can stop it right there.

Python imports this before anything else in every process whose PYTHONPATH names this folder. TAGSCALE_TEST_PAUSE is N;
TAGSCALE_TEST_EVENTS is a file that grows by a byte at each of these moments below its own folder.
"""

import os
import time

_EVENTS = os.environ.get("TAGSCALE_TEST_EVENTS")


def _pausing(change):
    def changed(source, target, **options):
        if not os.fspath(target).startswith(os.path.dirname(_EVENTS)):
            return change(source, target, **options)
        descriptor = os.open(_EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, b".")
        number = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.close(descriptor)
        if number == int(os.environ["TAGSCALE_TEST_PAUSE"]):
            time.sleep(60)
        return change(source, target, **options)

    return changed


if _EVENTS:
    os.replace = _pausing(os.replace)  # payloads, tables, plans, manifests
    os.link = _pausing(os.link)  # done marks
    os.rename = _pausing(os.rename)  # folders that appear whole
