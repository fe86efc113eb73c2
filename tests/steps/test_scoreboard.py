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


def test_the_auc_over_pairs_of_a_moment_stands_under_its_name() -> None:
    _, head, line = scoreboard_text(pd.DataFrame([{**ROW, "auc_within": 0.625}]), rate_moved=9.0).splitlines()[:3]
    assert head.index("grouped") + len("grouped") == line.index("0.625") + len("0.625")
