"""Run inside Blender without a window: reconstruct with the operator of the extension that is installed already.

    blender -b --python-exit-code 1 --python tools/run_in_background.py -- PHOTO RESOLUTION OUT

``tools/test_blender.py`` calls it where there is no display; OUT gets ``background.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from install_and_run import reconstruct  # noqa: E402

if __name__ == "__main__":
    photo, resolution, out = sys.argv[sys.argv.index("--") + 1 :]
    Path(out, "background.json").write_text(json.dumps(reconstruct(photo, int(resolution))))
