#!/bin/sh
# make_venv.sh PYTHON FOLDER LOCK: a virtual environment with exactly what a lock file names, and this checkout in it.
set -eu
python=$1 folder=$2 lock=$3

if [ -z "$python" ]; then
    echo "error: Python 3.11 or newer is needed; expected python3.11, python3.12 or python3 on the path" >&2
    exit 2
fi

if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv --clear "$folder"
else
    # Debian and Ubuntu keep pip and ensurepip in packages of their own. The wheel of pip is in one of them, which
    # can be fetched and unpacked without being installed.
    "$python" -m venv --clear --without-pip "$folder"
    rm -rf .bootstrap && mkdir .bootstrap
    if ! (cd .bootstrap && apt-get download -q python3-pip-whl >/dev/null 2>&1 && dpkg-deb -x python3-pip-whl*.deb .); then
        rm -rf "$folder" .bootstrap
        echo "error: $python has no pip and none could be fetched; install it: apt-get install $(basename "$python")-venv" >&2
        exit 2
    fi
    PYTHONPATH=$(echo .bootstrap/usr/share/python-wheels/pip-*.whl) \
        "$folder/bin/python" -m pip install --quiet --no-index --find-links .bootstrap/usr/share/python-wheels pip
    rm -rf .bootstrap
fi

echo "installing $(grep -c '==' "$lock") packages of $lock into $folder; this takes a few minutes"
# --no-deps: the lock names everything, and leaves out what tinysoundfont only wants for live playing.
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$lock"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$folder/.locked"
