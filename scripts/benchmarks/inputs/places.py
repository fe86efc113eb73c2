"""Where the benchmark's contracts and tasks lie."""

from pathlib import Path

CONF = Path(__file__).resolve().parents[1] / "conf"
