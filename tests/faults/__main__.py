"""Many rounds of faults: `scripts/faults --rounds 100 --seed 7`; see docs/reliability.md."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.conftest import SMALL_SESSION
from tests.faults.harness import VICTIMS, Bench, Result, kill_at_point, kill_at_random
from tests.faults.pairs import PAIRS, run_pair
from tests.faults.small_lake import STAGES
from tests.faults.stop_at import POINTS

from otklik import session
from otklik.lake.identity import code_version

Round = tuple[str, Callable[[Bench], Result]]


def rounds(count: int, pairs: int, seed: int) -> Iterator[Round]:
    """Every fault point once, then random kills, then pairs of writers; the same seed gives the same rounds."""
    chance = random.Random(seed)
    for number in range(count):
        if number < len(POINTS):
            point, victim = list(POINTS)[number], VICTIMS[number % len(VICTIMS)]
            yield f"round {number}", lambda bench, p=point, v=victim: kill_at_point(bench, p, v)  # type: ignore[misc]
        else:
            stage, victim = chance.choice(STAGES), chance.choice(VICTIMS)
            seconds = chance.uniform(1, 25 if stage.name == "train" else 14)
            yield (
                f"round {number}",
                lambda bench, s=stage, v=victim, t=seconds: kill_at_random(bench, s, v, t),  # type: ignore[misc]
            )
    for number in range(pairs):
        pair, lag = PAIRS[number % len(PAIRS)], chance.uniform(0, 20)
        yield f"pair {number}", lambda bench, p=pair, t=lag: run_pair(bench, p, t)  # type: ignore[misc]


def main() -> int:
    """Run what is not in the folder's results yet; returns 1 if any round left a difference."""
    given = _arguments()
    folder = Path(given.folder)
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / f"results-{given.seed}.jsonl"
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    # What other code did says nothing of this one.
    done = [result for result in map(json.loads, lines) if result.get("code_version") == code_version()]
    names = {result["round"] for result in done}
    properties = {**SMALL_SESSION, "spark.sql.warehouse.dir": str(folder / "warehouse")}
    with session.start("faults", properties, submitted=False, jvm_log=folder / "spark.log") as started:
        bench = Bench(folder / "bench", started.spark)
        for name, run in rounds(given.rounds, given.pairs, given.seed):
            if name in names:
                continue
            result = {"round": name, "code_version": code_version(), **asdict(run(bench))}
            done.append(result)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result, ensure_ascii=False) + "\n")
            verdict = "; ".join(result["differences"]) or "the same"
            sys.stderr.write(f"{name}: {result['name']} ({result['victim']}), {result['seconds']} s: {verdict}\n")
    sys.stdout.write(table(done))
    return 1 if any(result["differences"] for result in done) else 0


def table(results: list[dict[str, object]]) -> str:
    """The results as a Markdown table: per kind of round how many, how many were killed in time, how many differ."""
    kinds = [_kind(result) for result in results]
    killed = Counter(kind for kind, result in zip(kinds, results, strict=True) if result["reached"])
    wrong = Counter(kind for kind, result in zip(kinds, results, strict=True) if result["differences"])
    lines = ["| what | rounds | killed before the end | differences |", "|---|---|---|---|"]
    lines += [
        f"| {kind} | {count} | {killed[kind]} | {wrong[kind]} |" for kind, count in sorted(Counter(kinds).items())
    ]
    total = f"| all | {len(results)} | {sum(killed.values())} | {sum(wrong.values())} |"
    return "\n".join([*lines, total]) + "\n"


def _kind(result: dict[str, object]) -> str:
    name, victim = str(result["name"]), str(result["victim"])
    if str(result["round"]).startswith("pair"):
        return f"two writers: {name}"
    if name in POINTS:
        return f"at a point: {name} ({victim})"
    return f"at random: {name.rpartition(' after ')[0]}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="kills: every fault point once, then random ones")
    parser.add_argument("--pairs", type=int, default=0, help="pairs of writers at once")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", default="faults", help="where lakes and results go; a second start goes on there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
