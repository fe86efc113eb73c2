"""Create an empty local table by writing its first commit: in a millisecond, where Spark takes 0.3 to 1.5 s.

The commit follows the Delta protocol (delta-io/delta, PROTOCOL.md), writer version 2 or, with constraints, 3.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pyspark.sql import types as T

from otklik.lake.tables import Table

#: Types that need no feature of the protocol beyond these versions.
_PLAIN_TYPES = (
    T.StringType, T.LongType, T.IntegerType, T.ShortType, T.ByteType, T.DoubleType, T.FloatType, T.BooleanType,
    T.DateType, T.TimestampType, T.BinaryType, T.DecimalType,
)  # fmt: skip
#: Characters that names of columns may not have where names are not mapped.
_NOT_IN_NAMES = re.compile(r"[ ,;{}()\n\t=]")


def create(log: Path, table: Table, properties: Mapping[str, str]) -> bool:
    """Create an empty table; returns False if Spark has to, because of types, names or the file system.

    Args:
        log: the folder of its log; an existing table is left as it is.
        table: the definition.
        properties: all table properties.
    """
    schema = cast("T.StructType", T.StructType.fromDDL(table.ddl))
    names = {field.name.lower() for field in schema}
    if len(names) < len(schema) or any(map(_NOT_IN_NAMES.search, names)) or not _is_plain(schema):
        return False
    for field, column in zip(schema, table.columns, strict=True):
        field.metadata = {"comment": column.meaning} if column.meaning else {}
    now = int(time.time() * 1000)
    actions = [
        {
            "commitInfo": {
                "timestamp": now,
                "operation": "CREATE TABLE",
                "operationParameters": {
                    "partitionBy": "[]",
                    "description": table.meaning,
                    "isManaged": "false",
                    "properties": json.dumps(properties, ensure_ascii=False),
                },
                "isBlindAppend": True,
                "operationMetrics": {},
                "engineInfo": "Otklik",
                "txnId": str(uuid.uuid4()),
            }
        },
        {
            "metaData": {
                "id": str(uuid.uuid4()),
                "description": table.meaning,
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema.json(),
                "partitionColumns": [],
                "configuration": dict(properties),
                "createdTime": now,
            }
        },
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 3 if table.constraints else 2}},
    ]
    return _put(log, "".join(json.dumps(action, ensure_ascii=False) + "\n" for action in actions))


def _is_plain(data_type: T.DataType) -> bool:
    """Whether a type and all within it are plain."""
    if isinstance(data_type, T.StructType):
        return all(_is_plain(field.dataType) for field in data_type)
    if isinstance(data_type, T.ArrayType):
        return _is_plain(data_type.elementType)
    if isinstance(data_type, T.MapType):
        return _is_plain(data_type.keyType) and _is_plain(data_type.valueType)
    # Kinds of texts and times are classes derived from the plain ones.
    return type(data_type) in _PLAIN_TYPES


def _put(log: Path, content: str) -> bool:
    """Put the first commit in place, whole or not at all; False where the disk does not let it."""
    commit = log / f"{0:020}.json"
    draft = log / f"{commit.name}#{uuid.uuid4()}"
    try:
        log.mkdir(parents=True, exist_ok=True)
        draft.write_text(content, encoding="utf-8")
        # Unlike a rename, a link never takes the place of what another writer has put there.
        with contextlib.suppress(FileExistsError):
            commit.hardlink_to(draft)
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return True
