"""Many rounds of faults: `scripts/faults --rounds 100 --seed 7`; see docs/reliability.md."""

from __future__ import annotations

import argparse
import json
import random
import sys
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
#: Columns of the table → what of a result they count.
_SEEN = {
    "killed before the end": "reached",
    "after a commit": "committed",
    "drafts left": "drafts",
    "met": "met",
    "differences": "differences",
}


def rounds(count: int, pairs: int, seed: int) -> Iterator[Round]:
    """Every fault point once, then random kills, then pairs of writers; the same seed gives the same rounds."""
    chance = random.Random(seed)
    for number in range(count):
        if number < len(POINTS):
            point, victim = list(POINTS)[number], VICTIMS[number % len(VICTIMS)]
            yield f"round {number}", lambda bench, p=point, v=victim: kill_at_point(bench, p, v)  # type: ignore[misc]
        else:
            stage, victim = chance.choice(STAGES), chance.choice(VICTIMS)
            # Some are over before: the last commits are made at the end.
            share = chance.uniform(0, 1.1)
            yield (
                f"round {number}",
                lambda bench, s=stage, v=victim, t=share: kill_at_random(bench, s, v, t),  # type: ignore[misc]
            )
    for number in range(pairs):
        pair, share = PAIRS[number % len(PAIRS)], chance.uniform(0, 1)
        yield f"pair {number}", lambda bench, p=pair, t=share: run_pair(bench, p, t)  # type: ignore[misc]


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
            if name in names or not name.startswith(given.only):
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
    """The results as a Markdown table: how many rounds of each kind there were, and what was seen in how many."""
    rounds_of: dict[str, list[dict[str, object]]] = {}
    for result in results:
        rounds_of.setdefault(_kind(result), []).append(result)
    rows = [("what", "rounds", *_SEEN), ("---",) * (2 + len(_SEEN))]
    for kind, of_kind in [*sorted(rounds_of.items()), ("all", results)]:
        rows.append((kind, str(len(of_kind)), *(_count([result[key] for result in of_kind]) for key in _SEEN.values())))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _count(values: list[object]) -> str:
    """In how many results something was seen; a dash where nobody looked."""
    return "–" if all(value is None for value in values) else str(sum(bool(value) for value in values))


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
    parser.add_argument("--only", metavar="NAME", default="", help="now only rounds whose name begins so: `pair`")
    parser.add_argument("--folder", default="faults", help="where lakes and results go; a second start goes on there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
