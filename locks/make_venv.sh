#!/bin/sh
# make_venv.sh PYTHON FOLDER LOCK: creates a virtual environment with exactly the packages of a lock file and this checkout.
set -eu
python=$1 folder=$2 lock=$3

if [ -z "$python" ]; then
    echo "error: Python 3.11 or newer is needed; expected python3.11, python3.12 or python3 on the path" >&2
    exit 2
fi

if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv --clear "$folder"
else
    # Debian and Ubuntu ship pip and ensurepip in separate packages. One of them contains the wheel of pip, and it
    # can be downloaded and unpacked without being installed.
    "$python" -m venv --clear --without-pip "$folder"
    rm -rf .bootstrap && mkdir .bootstrap
    if ! (cd .bootstrap && apt-get download -q python3-pip-whl >/dev/null 2>&1 && dpkg-deb -x python3-pip-whl*.deb .); then
        rm -rf "$folder" .bootstrap
        echo "error: $python has no pip and none could be downloaded; install it: apt-get install $(basename "$python")-venv" >&2
        exit 2
    fi
    PYTHONPATH=$(echo .bootstrap/usr/share/python-wheels/pip-*.whl) \
        "$folder/bin/python" -m pip install --quiet --no-index --find-links .bootstrap/usr/share/python-wheels pip
    rm -rf .bootstrap
fi

echo "installing $(grep -c '==' "$lock") packages of $lock into $folder; this takes a few minutes"
# --no-deps: the lock file lists all packages, except those that tinysoundfont needs only for live playback.
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$lock"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$folder/.locked"
