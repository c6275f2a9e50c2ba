#!/usr/bin/env bash
# Make the virtual environment that every make target runs in: `bash tools/setup_env.sh FOLDER`.
# Installs missing system libraries too when run as root on Debian or Ubuntu; otherwise it names them and stops.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1

fail() { echo "setup: $*" >&2; exit 1; }

is_python311() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

find_python311() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3 python; do
        if [ -n "$candidate" ] && is_python311 "$candidate"; then command -v "$candidate"; return; fi
    done
}

# Debian packages of the libraries that bpy links but does not bring, and of the venv module where it is split off.
missing_packages() {
    "$1" - <<'PY'
import ctypes
import sys

LIBRARIES = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXext.so.6": "libxext6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
}
missing = []
if sys.platform == "linux":
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
try:
    import ensurepip  # noqa: F401
except ImportError:
    missing.append("python3.11-venv")
print(*missing)
PY
}

install_packages() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "setup: installing $*"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        fail "system packages are missing; install them and run this again: sudo apt-get install $*"
    fi
}

python=$(find_python311)
[ -n "$python" ] || fail "Python 3.11 is needed (Blender 4.5's Python); install it or name it: make PYTHON=/path/to/python3.11 ..."

packages=$(missing_packages "$python")
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages

"$python" -m venv "$venv"
touch "$venv/.started"   # the stamp dates from before the files are read: an edit meanwhile installs again
pip=("$venv/bin/python" -m pip --disable-pip-version-check --quiet install)
echo "setup: installing Python packages into $venv (1 to 3 GB, some minutes)"
# torch alone with its dependencies: where the index serves a CUDA build for Linux it needs them.
"${pip[@]}" --constraint vendor_requirements.txt --constraint requirements.txt torch
"${pip[@]}" --no-deps --requirement vendor_requirements.txt --requirement requirements.txt
"$venv/bin/python" -c "import bpy, cv2, skimage.measure, torch"
mv "$venv/.started" "$venv/.installed"
