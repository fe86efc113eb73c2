"""Columns that the frames of several kinds have. Imports no Spark."""

from __future__ import annotations

from otklik.kind import FrameColumn
from otklik.settings import Text

# fmt: off
UNIT = FrameColumn(
    "unit", "string", Text(en="what was assigned: a customer", ru="кого распределяли: клиент"),
    is_key=True, like=("customer_id", "user_id", "client_id", "customer", "user", "id"),
)
ARM = FrameColumn(
    "arm", "string", Text(en="the arm it was assigned to", ru="группа, к которой отнесена единица"),
    like=("arm", "variant", "group", "segment", "treatment"),
)
OUTCOME = FrameColumn(
    "outcome", "double", Text(en="1: the outcome has come, 0: it has not", ru="1: исход наступил, 0: нет"),
    like=("visit", "conversion", "converted", "response", "outcome"),
)
ASSIGNED_AT = FrameColumn(
    "moment", "timestamp", Text(en="when it was assigned", ru="когда отнесена"),
    is_required=False, is_optional=True, like=("assigned", "exposed", "moment"),
)
# fmt: on
