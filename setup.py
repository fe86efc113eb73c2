"""The package otklik, its command, and the jobs and settings that travel with it."""

from pathlib import Path

from setuptools import find_packages, setup

VERSION = "0.1.0"


def travelling(folder: str, pattern: str) -> list[tuple[str, list[str]]]:
    """Files outside the package that an installed `otklik` needs, kept in their folders under share/otklik."""
    found: dict[str, list[str]] = {}
    for file in sorted(Path(folder).glob(pattern)):
        found.setdefault(f"share/otklik/{file.parent.as_posix()}", []).append(file.as_posix())
    return list(found.items())


setup(
    name="otklik",
    version=VERSION,
    description="Data-driven marketing on Spark: from raw files to scores, a list to act on and an honest report",
    python_requires=">=3.11",
    package_dir={"": "lib"},
    packages=find_packages("lib"),
    package_data={"otklik": ["py.typed", "features/sql/*.sql", "*/*/sql/*.sql", "page/*.html", "page/*.css"]},
    data_files=travelling("jobs", "*.py") + travelling("conf", "**/*.*"),
    install_requires=[
        "pandas>=2.2,<3",
        "pyarrow>=18,<27",
        "numpy>=2.0,<3",
        "matplotlib>=3.9,<4",
        "pydantic>=2.10,<3",
        "jinja2>=3.1.6,<4",
        "scikit-learn>=1.6,<2",
        "scipy>=1.14,<2",
        "tzdata>=2025.1",
        "psutil>=6.1,<8",
        "packaging>=24",
        # Tells code pages apart; under the MIT licence, as is what it needs.
        "charset-normalizer>=3.4,<4",
    ],
    extras_require={
        # Not asked for by the wheel itself: Databricks brings its own Spark and Delta, and pip would lay these over it.
        # These two must match: Delta 4.4.0 has a build for Spark 4.1. The Rust reader of Delta answers in a moment what
        # Spark takes seconds for (docs/decisions/023); sqlglot, under the MIT licence, reads the SQL of tasks for
        # `otklik check`.
        "spark": ["pyspark==4.1.4", "delta-spark==4.4.0", "deltalake>=1,<2", "pyarrow>=20,<27", "sqlglot>=30,<31"],
        # The client of Spark Connect: `--env connect`.
        "connect": ["pyspark[connect]==4.1.4"],
        # MLflow's client, with what a store in a file of SQLite needs: where MLFLOW_TRACKING_URI is set.
        "mlflow": ["mlflow-skinny>=3.5,<4", "sqlalchemy>=2,<3", "alembic>=1.13,<2"],
        # Gradient boosting beside MLlib's models, without the libraries for graphics cards; there is none for macOS.
        "boost": [
            "xgboost-cpu>=3,<4; platform_system != 'Darwin'",
            "xgboost>=3,<4; platform_system == 'Darwin'",
        ],
        # A small network over sequences of events; of what torch brings, the processor alone is used.
        "deep": ["torch>=2.6,<3"],
        # Forecasts of many series.
        "forecast": ["statsforecast>=2,<3"],
        "dev": [
            "pytest>=8.3,<10",
            # Tests in two processes: one alone leaves a quarter of two cores idle, as Spark plans on one thread.
            "pytest-xdist>=3.6,<4",
            "hypothesis>=6.120,<7",
            "ruff>=0.9,<1",
            "mypy>=1.14,<3",
            "import-linter>=2.1,<3",
            "pandas-stubs>=2.2,<3",
            "types-psutil>=6.1,<8",
            "playwright>=1.49,<2",
            "pre-commit>=4,<5",
            "pip-audit>=2.9,<3",
            # What our results are held against.
            "statsmodels>=0.14,<1",
            "lifelines>=0.30,<1",
            "mlxtend>=0.23,<1",
            # Another one who reads our tables.
            "duckdb>=2,<3",
            # For `otklik package`; the module is venv_pack, and the older package of that name is no longer kept up.
            "venv-pack2>=0.9,<1",
        ],
        # What ./scripts/benchmark measures us against.
        "benchmark": [
            "polars>=2,<3",
            "duckdb>=2,<3",
            # Without the libraries for graphics cards; there is none for macOS.
            "xgboost-cpu>=3,<4; platform_system != 'Darwin'",
            "xgboost>=3,<4; platform_system == 'Darwin'",
        ],
    },
    entry_points={"console_scripts": ["otklik=otklik.cli:entry_point"]},
)
