"""The packages that only some models need. Imports no Spark."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

from otklik.errors import ConfigurationError
from otklik.task import Models

#: Model → the package that it is of, and the extra that brings it.
_EXTRAS: Mapping[str, tuple[str, str]] = {"xgboost": ("xgboost", "boost"), "sequence": ("torch", "deep")}


def require_all(models: Models) -> None:
    """See that the packages of the models that are tried are installed; none is imported, which may take seconds.

    Raises:
        ConfigurationError: if one is not.
    """
    for model, (package, _) in _EXTRAS.items():
        if getattr(models, model) is not None and importlib.util.find_spec(package) is None:
            raise _not_installed(model)


def library(model: str) -> Any:
    """The package of a model.

    Raises:
        ConfigurationError: if it is not installed.
    """
    try:
        return importlib.import_module(_EXTRAS[model][0])
    except ImportError:
        raise _not_installed(model) from None


def _not_installed(model: str) -> ConfigurationError:
    package, extra = _EXTRAS[model]
    return ConfigurationError(
        f"the model {model} needs the package {package}, which is not installed",
        where=f"models.{model}",
        hint=f"pip install 'otklik[{extra}]', or leave it out",
    )
