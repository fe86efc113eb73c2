import pandas as pd

from otklik.steps.scoreboard import scoreboard_text

ROW = {
    "model": "logistic_regression", "leaks": "without", "split": "time", "calibration": "calibrated",
    "rows": 100, "positives": 20, "mean_probability": 0.2, "auc": 0.7, "auc_low": 0.6, "auc_high": 0.8,
    "auc_within": None, "accuracy": 0.8, "brier": 0.15, "lift_10": 2.0, "profit": None,
}  # fmt: skip


def test_a_moved_rate_stands_under_the_scoreboard() -> None:
    board = pd.DataFrame([ROW, {**ROW, "model": "random_forest", "mean_probability": 0.1}])
    text = scoreboard_text(board, rate_moved=0.2)
    assert text.endswith(
        "\n\nmiscalibrated, the response rate has shifted: random forest, time split: "
        "mean probability 0.100, observed 0.200\n"
    )
    assert "the response rate has shifted: logistic regression" not in text


def test_majority_raw_rows_and_leaks_do_not_count() -> None:
    far = {**ROW, "mean_probability": 0.9}
    others = [{**far, "model": "majority"}, {**far, "calibration": "raw"}, {**far, "leaks": "with"}]
    assert "not calibrated" not in scoreboard_text(pd.DataFrame([ROW, *others]), rate_moved=0.2)


def test_rows_stand_under_their_columns_the_best_first() -> None:
    rows = [ROW, {**ROW, "model": "random_forest", "auc": 0.75, "auc_within": 0.625, "profit": 1234.0}]
    title, head, *lines = scoreboard_text(pd.DataFrame(rows), rate_moved=9.0).splitlines()[:4]
    assert title == "later in time, without leaks: 100 rows, 20 yes"
    assert [line.split("  ")[1] for line in lines] == ["random forest", "logistic regression"]
    for column, text in (("Grouped AUC", "0.625"), ("Accuracy at 0.5", "80.0%"), ("Profit", "1,234")):
        assert head.index(column) + len(column) == lines[0].index(text) + len(text)
    assert lines[1].endswith("0.600–0.800")
