#!/bin/sh
# build_renderer.sh FOLDER [optional]: tinysoundfont, which renders the demonstration corpus, in a virtual environment.
#
# Its wheels end at Python 3.12, and those are in the lock files; for newer versions it is built from its sdist, without
# the caller's compiler flags, so that it sounds like the wheels. Where it is installed, nothing is done. What keeps it
# from being built is said in one line; if `optional`, that is a note and no error.
set -eu
folder=$1 kind=${2:-needed}
python=$folder/bin/python build=$(pwd)/.bootstrap/renderer log=$folder/renderer.log

if "$python" -c 'import tinysoundfont' 2>/dev/null; then exit 0; fi

give_up() {
    if [ "$kind" = optional ]; then
        echo "note: everything works but \`make demo\` and \`pipeline.run corpus\`: $1"
        exit 0
    fi
    echo "error: $1" >&2
    exit 2
}

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
missing=
# shellcheck disable=SC2086  # CXX may hold flags
command -v ${CXX:-c++ g++ clang++} >/dev/null 2>&1 || missing="a C++ compiler"
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[ -e "$headers/Python.h" ] || missing="${missing:+$missing and }Python's headers"
if [ -n "$missing" ]; then
    give_up "Python $version has no wheel of tinysoundfont, the corpus's renderer, and building it lacks $missing; \
install what is missing (Debian: apt-get install g++ python$version-dev) and type: make renderer"
fi

echo "building tinysoundfont, which has no wheel for Python $version"
rm -rf "$build" && mkdir -p "$build"
pip() { env -u CFLAGS -u CXXFLAGS -u CPPFLAGS "$python" -m pip "$@" --disable-pip-version-check --require-hashes --no-deps; }
if pip install --quiet --target "$build" -r locks/renderer_build.txt >"$log" 2>&1 &&
    PATH="$build/bin:$PATH" PYTHONPATH="$build" pip install --no-build-isolation -r locks/renderer.txt >>"$log" 2>&1 &&
    "$python" -c 'import tinysoundfont' >>"$log" 2>&1; then
    rm -rf .bootstrap "$log"
else
    rm -rf .bootstrap
    give_up "tinysoundfont, the corpus's renderer, could not be installed; $log says why; mend it and type: make renderer"
fi
