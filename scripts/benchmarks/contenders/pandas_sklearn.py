"""pandas and scikit-learn, all in memory, results as Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scripts.benchmarks import columns
from scripts.benchmarks.columns import HORIZON_DAYS, KINDS, NETWORKS, TOPICS, WINDOWS_DAYS
from scripts.benchmarks.work import FOREST, LOGISTIC, SEED, TREE, Case, Outcome, Repetition, Work, live_files, said
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

COLUMNS = [*columns.TEXTS, *columns.NUMBERS]
_DAY = np.timedelta64(1, "D")


def ingest(work: Work) -> Repetition:
    """Bronze as text and silver as typed rows, the last of each customer; nothing is checked."""

    def once(out: Path) -> Outcome:
        file = work.inputs["file"]
        lines = file.read_text(encoding="utf-8").splitlines()[1:]
        numbered = pa.table({"record": pa.array(lines), "record_no": pa.array(np.arange(1, len(lines) + 1))})
        pq.write_table(numbered, out / "bronze.parquet")
        rows = pd.read_csv(file, sep=";", engine="c", keep_default_na=False)
        last = rows.drop_duplicates("customer_id", keep="last")
        last.to_parquet(out / "silver.parquet", index=False)
        return Outcome({"bronze": out / "bronze.parquet", "silver": out / "silver.parquet"})

    return once


def features(work: Work) -> Repetition:
    """Conditions as columns of 0 and 1, added up per customer; texts as categories, customers as whole numbers.

    Otklik's rule that each row has a moment of its own is kept: an event is compared with its customer's moment.
    """

    def once(out: Path) -> Outcome:
        lake = work.inputs["lake"]
        customers = _read(lake / "silver/customers", ["customer_id", "decided_at"], [])
        customers = customers.rename(columns={"customer_id": "key", "decided_at": "as_of"})
        texts = ["kind", "topic", "network"]
        events = _read(
            lake / "silver/events", ["customer_id", "happened_at", "known_at", *texts], [*texts, "customer_id"]
        )
        customer_of_level = pd.Index(customers["key"]).get_indexer(events["customer_id"].cat.categories)
        place = customer_of_level[events["customer_id"].cat.codes.to_numpy()]
        moment = customers["as_of"].to_numpy()[place]
        happened_at, known_at = events["happened_at"].to_numpy(), events["known_at"].to_numpy()
        age = moment - happened_at
        is_known = (age >= np.timedelta64(0)) & (age < HORIZON_DAYS * _DAY) & (known_at <= moment) & (place >= 0)
        numbers = _flags(events[is_known], age[is_known])
        totals = numbers.groupby(place[is_known], sort=False).sum().reindex(range(len(customers)), fill_value=0)
        youngest = pd.Series(age[is_known]).groupby(place[is_known], sort=False).min().reindex(range(len(customers)))
        _finish(customers, totals, youngest).to_parquet(out / "features.parquet", index=False)
        return Outcome({"features": out / "features.parquet"})

    return once


def train(work: Work) -> Repetition:
    """One preparation, then both models on its numbers."""
    # The same penalty as MLlib's, which takes the mean of the losses and not their sum. No bins: all values are tried.
    return lambda _: _trained(
        work,
        {
            "logistic_regression": lambda rows: LogisticRegression(
                C=1 / (LOGISTIC["reg_param"] * rows), max_iter=int(LOGISTIC["max_iter"])
            ),
            "decision_tree": lambda _: DecisionTreeClassifier(
                max_depth=TREE["max_depth"], min_samples_leaf=TREE["min_leaf"], random_state=SEED
            ),
        },
    )


def forest(work: Work) -> Repetition:
    """The same with a random forest alone, on all cores."""
    model = RandomForestClassifier(
        n_estimators=FOREST["trees"],
        max_depth=FOREST["max_depth"],
        min_samples_leaf=FOREST["min_leaf"],
        n_jobs=work.cores,
        random_state=SEED,
    )
    return lambda _: _trained(work, {"random_forest": lambda _: model})


CASES: dict[str, Case] = {"ingest": ingest, "features": features, "train": train, "forest": forest}


def read_rows(file: Path) -> pd.DataFrame:
    """Label, is_held_out and the features: texts as categories, numbers of 32 bits, as pandas and trees are fastest."""
    names = ["label", "is_held_out", *COLUMNS]
    table = pq.read_table(file, columns=names, read_dictionary=list(columns.TEXTS))
    rows: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return rows.astype(dict.fromkeys(columns.NUMBERS, np.float32), copy=False)


def _preparation() -> Any:
    """One-hot levels, rare ones together; medians for what is missing, and a column that says so; equal scale.

    Dense numbers of 32 bits: the trees of scikit-learn work on nothing else, and sparse ones cost them much longer.
    """
    levels = OneHotEncoder(
        min_frequency=0.005, handle_unknown="infrequent_if_exist", sparse_output=False, dtype=np.float32
    )
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return ColumnTransformer([("levels", levels, list(columns.TEXTS)), ("numbers", numbers, list(columns.NUMBERS))])


def _trained(work: Work, models: dict[str, Callable[[int], Any]]) -> Outcome:
    outcome = Outcome()
    with outcome.part("prepare"):
        rows = read_rows(work.inputs["rows"])
        # Levels as small numbers: scikit-learn takes categories for texts, and is several times slower with these.
        codes = {name: rows[name].cat.set_categories(levels).cat.codes for name, levels in columns.LEVELS.items()}
        rows = rows.assign(**codes)
        is_held_out = rows["is_held_out"].to_numpy(bool)
        label = rows["label"].to_numpy(np.int64)
        prepare = _preparation()
        numbers = prepare.fit_transform(rows.loc[~is_held_out, COLUMNS])
        held_out = prepare.transform(rows.loc[is_held_out, COLUMNS])
        del rows
    for name, model_for in models.items():
        with outcome.part(name):
            model = model_for(len(numbers))
            model.fit(numbers, label[~is_held_out])
            outcome.said[name] = said(label[is_held_out], model.predict_proba(held_out)[:, 1])
    return outcome


def _read(table: Path, columns: list[str], as_categories: list[str]) -> pd.DataFrame:
    read = pq.ParquetDataset([str(file) for file in live_files(table)], read_dictionary=as_categories)
    frame: pd.DataFrame = read.read(columns=columns).to_pandas(split_blocks=True, self_destruct=True)
    for name in frame.columns[[str(kind).startswith("datetime") for kind in frame.dtypes]]:
        frame[name] = frame[name].dt.tz_localize(None)
    return frame


def _flags(events: pd.DataFrame, age: Any) -> pd.DataFrame:
    """What is added up, one column each."""
    month = age < 30 * _DAY
    flags: dict[str, Any] = {f"event_count_{days}d": age < days * _DAY for days in WINDOWS_DAYS}
    for column, levels, name in (("kind", KINDS, "{}_count_30d"), ("topic", TOPICS, "about_{}_count_30d")):
        flags |= {name.format(level): (events[column] == level).to_numpy() & month for level in levels}
    flags |= {f"on_{network}_count_90d": (events["network"] == network).to_numpy() for network in NETWORKS}
    flags |= {f"_topic_{topic}": (events["topic"] == topic).to_numpy() for topic in TOPICS}
    flags["_month_before"] = (age >= 30 * _DAY) & (age < 60 * _DAY)
    hour, weekday = events["happened_at"].dt.hour.to_numpy(), events["happened_at"].dt.weekday.to_numpy()
    flags |= {
        "_night": hour < 6,
        "_morning": (hour >= 6) & (hour < 12),
        "_evening": hour >= 18,
        "_weekend": weekday >= 5,
    }
    # Whole numbers of 32 bits add up several times faster than booleans.
    return pd.DataFrame({name: flag.astype(np.int32) for name, flag in flags.items()})


def _finish(customers: pd.DataFrame, totals: pd.DataFrame, youngest: pd.Series[pd.Timedelta]) -> pd.DataFrame:
    found = customers[["key", "as_of"]].copy()
    counts = [name for name in totals.columns if not name.startswith("_")]
    found[counts] = totals[counts].astype(np.int64)
    # One division as everywhere: by seconds first, a few in a million would be rounded to another sixth decimal.
    found["days_since_last_event"] = (youngest / pd.Timedelta(days=1)).fillna(float(HORIZON_DAYS))
    found["activity_trend_30d"] = np.log((1 + totals["event_count_30d"]) / (1 + totals["_month_before"]))
    found["distinct_topics_90d"] = (totals[[f"_topic_{topic}" for topic in TOPICS]] > 0).sum(axis=1)
    for share in ("night", "morning", "evening", "weekend"):
        found[f"{share}_share_90d"] = totals[f"_{share}"] / totals[f"event_count_{HORIZON_DAYS}d"].replace(0, np.nan)
    return found
