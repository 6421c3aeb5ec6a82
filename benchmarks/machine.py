"""Where and of what a figure was measured: the fields that every result carries.

Knows the machine, the commit and the phantom; measures nothing.
"""

import os
import platform
import subprocess
from pathlib import Path


def machine() -> dict:
    """Processor, cores, load, Python and commit; "unknown" where the system doesn't say."""
    info = Path("/proc/cpuinfo")
    rows = info.read_text().splitlines() if info.exists() else []
    names = [row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")]
    asked = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        commit = ""
    return {
        "cpu": names[0] if names else "unknown",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "commit": commit or "unknown",
    }


def drawn() -> dict:
    """Domain, version and hash of the phantom, for what was measured on drawn films."""
    from xemplar.sources import phantom

    return {"domain": "synthetic", "phantom": phantom.VERSION, "version_hash": phantom.version_hash()}
