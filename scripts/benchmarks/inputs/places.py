"""Where the benchmark's contracts and tasks lie, and what of conf/ it uses."""

from pathlib import Path

CONF = Path(__file__).resolve().parents[1] / "conf"
#: Sources of the built-in world, and the task that is asked of it.
WORLD = ("customers", "contacts", "engagements")
WORLD_TASK = "campaign_response"
