"""What the benchmark makes of its measurements, without measuring anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from scripts.benchmarks import figures, judge, plan, process
from scripts.benchmarks.__main__ import main, read_results, write
from scripts.benchmarks.child import Order
from scripts.benchmarks.contenders import BARE, OURS, PANDAS
from scripts.benchmarks.judge import Evidence, content_of, evidence_of
from scripts.benchmarks.work import SAID, live_files
from tests.conftest import PROJECT
from tests.faults.harness import environment

LR = "logistic_regression"
SOUND = Evidence({"silver": "10 00ff"}, {LR: 0.75}, 100_000, 10_000)


def result(start: plan.Start, seconds: list[float], evidence: Evidence = SOUND, **parts: float) -> figures.Result:
    done = process.Done(
        {"session": 3.0, "seconds": seconds, "parts": [parts] * len(seconds)}, process.Memory(300.0, 100.0, 350.0), ""
    )
    return figures.result_of(start, done, evidence, "code", "2026-01-01")


def board(case: str, rows: int, **seconds: list[float]) -> figures.Board:
    entry = plan.Entry(case, rows, tuple(seconds), 1, 2)
    made = [result(plan.Start(entry, name, 0), times, work=times[-1]) for name, times in seconds.items()]
    return figures.boards([entry], made, {})[0]


def test_contenders_take_turns_and_each_round_another_one_begins() -> None:
    entry = plan.Entry("ingest", 10, ("a", "b", "c"), 3, 1)

    assert [start.contender for start in plan.starts([entry])] == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]


def test_a_million_rows_are_the_sizes_of_the_promises() -> None:
    sizes = {(entry.case, entry.rows) for entry in plan.full(1_000_000, 3, 2)}

    assert {("ingest", 2_000_000), ("features", 20_000_000), ("train", 4_000_000), ("train", 1_000_000)} <= sizes
    assert {rows for case, rows in sizes if case == "growth"} == {100_000, 300_000, 1_000_000}


def test_every_start_has_a_name_of_its_own() -> None:
    names = [start.name for start in plan.starts(plan.full(1_000_000, 3, 2))]

    assert len(names) == len(set(names))


def test_medians_and_quartiles_of_cold_and_warm_apart() -> None:
    figure = board("ingest", 10, **{OURS: [9.0, 1.0, 3.0]}).figures[0]

    assert figures.spread(figure.cold) == figures.Spread(9.0, 9.0, 9.0)
    assert figures.spread(figure.warm) == figure.seconds == figures.Spread(2.0, 1.5, 2.5)


def test_a_ratio_is_of_warm_medians() -> None:
    found = board("ingest", 10, **{OURS: [9.0, 2.0, 2.0], BARE: [5.0, 1.0, 1.0]})

    assert figures.over(found.of(OURS), found.of(BARE)) == figures.Spread(2.0, 2.0, 2.0)


def test_promises_are_held_against_the_largest_and_the_smallest_size() -> None:
    boards = [board("ingest", rows, **{OURS: [ours, ours], BARE: [1.0, 1.0]}) for rows, ours in ((10, 1.1), (20, 1.3))]
    found = {verdict.text: verdict for verdict in figures.verdicts(boards)}

    assert (found["ingest of 20 rows over bare Spark"].value, found["ingest of 20 rows over bare Spark"].holds) == (
        figures.Spread(1.3, 1.3, 1.3),
        False,
    )
    assert found["ingest of 10 rows over bare Spark"].holds is True
    assert found["features over DuckDB"].holds is None


def test_what_otklik_could_not_do_is_a_promise_missed_and_said_why() -> None:
    entry = plan.Entry("ingest", 10, (OURS, BARE), 1, 0)
    done = process.Done(None, process.Memory(0.0, 0.0, 0.0), "no memory")
    failed = figures.result_of(plan.Start(entry, OURS, 0), done, None, "code", "2026-01-01")
    boards = figures.boards([entry], [failed, result(plan.Start(entry, BARE, 0), [1.0])], {})
    found = next(v for v in figures.verdicts(boards) if v.text == "ingest of 10 rows over bare Spark")

    assert (found.holds, found.fault) == (False, "no memory")


def test_time_and_memory_have_quartiles_of_rounds() -> None:
    entry = plan.Entry("train", 10, (OURS, PANDAS), 2, 0)
    made = [
        result(plan.Start(entry, name, number), [seconds])
        for number in range(2)
        for name, seconds in ((OURS, 2.0 + number), (PANDAS, 1.0))
    ]
    found = {verdict.text: verdict.value for verdict in figures.verdicts(figures.boards([entry], made, {}))}

    assert found["train of 10 rows over pandas + scikit-learn"] == figures.Spread(2.5, 2.25, 2.75)
    assert found["peak memory of train of 10 rows over pandas + scikit-learn"] == figures.Spread(1.0, 1.0, 1.0)


def test_who_gave_another_result_has_no_ratio() -> None:
    entry = plan.Entry("train", 10, (OURS, BARE), 1, 0)
    worse = replace(SOUND, auc={LR: 0.6})
    made = [result(plan.Start(entry, OURS, 0), [1.0]), result(plan.Start(entry, BARE, 0), [1.0], worse)]
    found = figures.boards([entry], made, {})[0]

    assert figures.over(found.of(OURS), found.of(BARE)) is None
    assert found.figures[1].cold == [1.0]
    assert "AUC" in found.figures[1].fault


def test_on_few_rows_the_judge_allows_for_chance() -> None:
    few = replace(SOUND, judged_rows=400, judged_yes=40)

    assert judge.tolerance_of(SOUND, SOUND) == judge.AUC_TOLERANCE
    # Who trained no model says nothing of how many rows it was judged on.
    assert judge.tolerance_of(replace(SOUND, judged_rows=0, judged_yes=0), few) == judge.tolerance_of(SOUND, few)
    assert 0.03 < judge.tolerance_of(few, few) < 0.05


def test_the_page_is_written_from_the_lines_of_the_last_setting_and_from_nothing_else(tmp_path: Path) -> None:
    """The newest attempt at a process counts; what was measured under other conditions does not."""
    entries = [plan.Entry("growth", rows, (OURS,), 1, 0) for rows in (300, 100)]
    machine = {"processor": "some processor", "memory": "1 GiB", "Java": "17"}
    setting = {"command": "./scripts/benchmark", "cores": 2, "heap": "2g", "code": "code", "machine": machine}
    starts = list(plan.starts(entries))
    lines = [result(starts[0], [99.0], work=99.0), {"setting": setting | {"code": "older"}}, {"setting": setting}]
    lines += [result(start, [seconds], work=seconds) for start, seconds in zip(starts, (30.0, 10.0), strict=True)]
    lines.append(result(starts[1], [1.0], work=1.0) | {"code": "older"})
    text = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "results.jsonl").write_text(text, encoding="utf-8")

    assert write(tmp_path, entries, {}, [tmp_path]) == 0

    said = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert (
        "| full pipeline on the simulated world | 300 customers | Otklik | 30.00 |  |  | 300 | 100 | work 30 s |"
        in said
    )
    assert (
        "| full pipeline on the simulated world | 100 customers | Otklik | 10.00 |  |  | 300 | 100 | work 10 s |"
        in said
    )
    assert "- growth of work between the two largest worlds, exponent: 1.00, target ≤ 1.1: holds" in said
    assert "some processor, 1 GiB" in said
    kept = [json.loads(line) for line in (tmp_path / "performance.jsonl").read_text(encoding="utf-8").splitlines()]
    assert kept == [{"setting": setting}, *lines[3:5]]


def test_the_exponent_of_growth() -> None:
    small, large = board("growth", 100, **{OURS: [10.0]}), board("growth", 300, **{OURS: [30.0]})

    assert figures.exponent(small, large) == pytest.approx(1.0)
    assert figures.exponent(small, large, "work") == pytest.approx(1.0)
    assert figures.exponent(small, large, "other") is None


@pytest.mark.parametrize(
    ("label", "score", "says"),
    [
        ([0.0, 1.0], [0.1, 0.9], 1.0),
        ([0.0, 1.0], [0.1, np.nan], np.nan),
        ([0.0, np.nan], [0.1, 0.9], np.nan),
        ([1.0, 1.0], [0.1, 0.9], np.nan),
    ],
)
def test_rows_without_a_label_or_a_score_are_no_fault_of_the_judge(
    tmp_path: Path, label: list[float], score: list[float], says: float
) -> None:
    said: dict[str, Any] = {"tree.label": np.array(label), "tree.score": np.array(score)}
    np.savez(tmp_path / SAID, **said)

    found = evidence_of("train", tmp_path, {"tables": {}})

    assert found.auc["tree"] == pytest.approx(says, nan_ok=True)


def test_a_line_that_was_cut_off_is_measured_again_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text('{"name": "one"}\n{"name": "tw\n{"name": "three"}\n', encoding="utf-8")

    assert [found["name"] for found in read_results(file)] == ["one", "three"]
    assert list(read_results(tmp_path / "none.jsonl")) == []


def test_what_others_take_of_the_processors_is_seen(tmp_path: Path) -> None:
    """This process works while the one that is watched does nothing but fail."""
    working = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        done = process.run(Order("nobody", "ingest", {}, str(tmp_path / "run"), 1, 1, "1g"), 60)
    finally:
        working.kill()
        working.wait()

    assert done.others > 0.5 / psutil.cpu_count()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (replace(SOUND, contents={"silver": "10 0f0f"}), "silver: 10 rows, not the same as 10"),
        (replace(SOUND, auc=SOUND.auc | {LR: 0.757}), f"{LR}: AUC 0.7570 against 0.7500"),
        (replace(SOUND, auc=SOUND.auc | {LR: float("nan")}), f"{LR}: AUC nan against 0.7500"),
        (replace(SOUND, auc=SOUND.auc | {LR: 0.754}), ""),
        (replace(SOUND, contents={}), "silver: is not there"),
        (replace(SOUND, auc={}), f"{LR}: is not there"),
    ],
)
def test_what_differs_from_the_reference_is_said(other: Evidence, says: str) -> None:
    assert judge.difference(other, SOUND) == says


def test_a_process_that_was_just_forked_is_not_counted_as_a_second_parent() -> None:
    watch = process.Watch(os.getpid())
    watch.look()
    watch.look()
    alone = watch.memory.python
    holds = "held = b'1' * 2**28; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        watch.look()
        at_first = watch.memory.python
        watch.look()
        child.kill()

    assert at_first < alone + 128
    assert watch.memory.python > alone + 256


def test_the_same_rows_in_another_order_other_files_and_other_types_are_the_same_content(tmp_path: Path) -> None:
    moments = pd.to_datetime(["2025-01-01T10:00:00.000001Z", "2025-01-02T00:00:00.000000Z", "NaT"])
    rows = pd.DataFrame(
        {"name": ["a", "b", None], "count": [1, 2, 3], "share": [0.1234567, -0.0, np.nan], "at": moments}
    )
    rows.to_parquet(tmp_path / "one.parquet")
    other = rows.iloc[::-1].assign(count=lambda f: f["count"].astype("int32"), share=lambda f: f["share"] + 1e-9)
    (tmp_path / "two").mkdir()
    other.iloc[:2].to_parquet(tmp_path / "two" / "a.parquet")
    other.iloc[2:].assign(batch="x").to_parquet(tmp_path / "two" / "b.parquet")
    columns = ["name", "count", "share", "at"]
    found = content_of(tmp_path / "one.parquet", columns)

    assert content_of(tmp_path / "two", columns) == found
    assert found.startswith("3 ")
    rows.assign(count=[1, 2, 4]).to_parquet(tmp_path / "three.parquet")
    assert content_of(tmp_path / "three.parquet", columns) != found


def test_of_a_delta_table_only_the_files_that_count(tmp_path: Path) -> None:
    log = tmp_path / "_delta_log"
    log.mkdir()
    actions: list[dict[str, Any]] = [{"add": {"path": "one.parquet"}}, {"add": {"path": "a%20b.parquet"}}]
    (log / "00.json").write_text("\n".join(json.dumps(action) for action in actions), encoding="utf-8")
    (log / "01.json").write_text(json.dumps({"remove": {"path": "one.parquet"}}), encoding="utf-8")

    assert live_files(tmp_path) == [tmp_path / "a b.parquet"]


def test_a_process_that_fails_says_why_and_one_without_end_is_given_up(tmp_path: Path) -> None:
    # It imports its libraries before it fails, which takes longer than the two looks after which memory counts.
    order = Order("pandas_sklearn", "ingest", {"file": "no-such.csv"}, str(tmp_path / "run"), 1, 1, "1g")
    failed, slow = process.run(order, 60), process.run(order, 0)

    assert failed.result is None
    assert "no-such.csv" in failed.fault
    assert failed.memory.python > 1
    assert slow.fault == "given up after 0 s"


def test_the_process_of_a_peer_holds_the_peer_only() -> None:
    names = ("child", "contenders.pandas_sklearn", "contenders.with_xgboost")
    imports = "; ".join(f"import scripts.benchmarks.{name}" for name in names)
    look = f"{imports}; import sys; sys.exit('pyspark' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", look], check=False, cwd=PROJECT, env=environment()).returncode == 0


def test_an_unknown_contender_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", "--contenders", "spark"])

    with pytest.raises(SystemExit):
        main()

    assert "--contenders spark: known are otklik_steps, bare_spark" in capsys.readouterr().err
