"""The helpers of these tests lie beside them: `tests` is no package, since a dependency ships one of that name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
