"""Makes every process that looks at one file hang, as a file on a network disk may do.

Python imports this before anything else in every process whose PYTHONPATH names this folder. TAGSCALE_TEST_HANGS is the
path of the file.
"""

import os
import time

_HANGS = os.environ.get("TAGSCALE_TEST_HANGS")
_stat = os.stat


def _hanging(path, **options):
    while path == _HANGS:
        time.sleep(60)
    return _stat(path, **options)


if _HANGS:
    os.stat = _hanging
