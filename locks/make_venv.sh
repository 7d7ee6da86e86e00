#!/bin/sh
# make_venv.sh PYTHON FOLDER LOCK VERSION…: a virtual environment with exactly what a lock file names, and this checkout in
# it. PYTHON is an interpreter of one of these versions; where it is empty, the first that is found is taken.
set -eu
python=$1 folder=$2 lock=$3
shift 3
versions=$*

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

is_one_of_them() { case " $versions " in *" $1 "*) [ -n "$1" ] ;; *) false ;; esac; }

# Said before anything is made or downloaded.
refuse() {
    expected=$(echo "$versions" | sed 's/ \([^ ]*\)$/ or \1/; s/\([0-9]\) \([0-9]\)/\1, \2/g')
    echo "error: expected Python $expected, for which every package of $lock has a release; received $1;" \
        "name another: make ${folder#.} PYTHON=python${versions##* }" >&2
    exit 2
}

if [ -z "$python" ]; then
    for candidate in $(printf 'python%s ' $versions) python3; do
        if is_one_of_them "$(version_of "$candidate")"; then python=$candidate && break; fi
    done
    [ -n "$python" ] || refuse "a path with none of them, where python3 is $(version_of python3 || echo missing)"
else
    version=$(version_of "$python") || refuse "$python, which does not start"
    is_one_of_them "$version" || refuse "$python, which is $version"
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
# --no-deps: the lock file lists all packages, except those that tinysoundfont needs only for live playback. --no-compile:
# Python compiles what is imported, a small part of them, when it is first imported; that halves the time.
"$folder/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes --no-deps -r "$lock"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$folder/.locked"
