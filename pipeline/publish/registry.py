"""MLflow's model registry: each published model is a version of one registered model; an alias marks the current."""

import hashlib
import json
import logging
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.core.files import sha256_of
from pipeline.model.store import CONFIG, WEIGHTS
from pipeline.store.index import INDEX, INDEX_KEYS
from pipeline.tracking.logged import SERVED, log_model
from pipeline.tracking.store import DIGEST_TAG, connected, find_run, never_fails, one_at_a_time, repository
from pipeline.tracking.training import DATA_TAG

log = logging.getLogger(__name__)

NAME = "soundtrack-retrieval"
ALIAS = "published"
SHOWN = ("recall_at_", "mrr")  # metrics of the headline that become tags of a version
PUBLISHED_TAG = "published.digest"  # of weights, config, index and serving code


@never_fails
def register_published(root: Path, folder: Path, headline: dict[str, Any]) -> None:
    """Register the model in `folder` with metrics of `headline`, and set the alias to it.

    In a copy of the repository, as in an experiment, nothing is registered.
    """
    if root.resolve() != repository(root):
        log.info("MLflow: model not registered in a copy of the repository; run `sync-mlflow` after `dvc exp apply`")
        return
    version, is_new = registered(root, connected(root), folder, headline)
    log.info("MLflow: models:/%s@%s is version %s%s", NAME, ALIAS, version, "" if is_new else " (unchanged)")


def registered(root: Path, mlflow: ModuleType, folder: Path, headline: dict[str, Any]) -> tuple[str, bool]:
    """Set the alias to the version with the model of `folder`; return the version, and whether anything changed.

    A new version is created only if no existing version has this model.
    """
    client = mlflow.MlflowClient()
    files = [folder / name for name in (WEIGHTS, CONFIG, INDEX)]
    digests = {path.name: sha256_of(path) for path in [*files, SERVED]}
    digest = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    with one_at_a_time(root):
        current = _current(client)
        if current is not None and current.tags.get(PUBLISHED_TAG) == digest:
            return current.version, False
        same = client.search_model_versions(f"name = '{NAME}' and tags.`{PUBLISHED_TAG}` = '{digest}'")
        found = same[0] if same else _new_version(mlflow, client, files, digest, digests[WEIGHTS], headline)
        client.set_registered_model_alias(NAME, ALIAS, found.version)
    return found.version, True


def _current(client: Any) -> Any | None:
    """Return the version with the alias, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(NAME, ALIAS)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # no such model; no such alias
            return None
        raise


def _new_version(
    mlflow: ModuleType, client: Any, files: list[Path], digest: str, weights: str, headline: dict[str, Any]
) -> Any:
    run = find_run(mlflow, weights)
    if run is None:
        log.warning(
            "MLflow: no run trained the published model (DVC restored it from its cache); registered without a run"
        )
    run_id = run.info.run_id if run else None
    tags = {
        "variant": headline["variant"],
        DATA_TAG: run.data.tags.get(DATA_TAG, "") if run else "",
        DIGEST_TAG: weights,
        PUBLISHED_TAG: digest,
        **{name: f"{value:.4f}" for name, value in headline.items() if name.startswith(SHOWN)},
    }
    *model, index = files
    model_id = log_model(mlflow, ALIAS, model, tags, run_id, index, INDEX_KEYS)
    if not client.search_registered_models(f"name = '{NAME}'"):
        client.create_registered_model(NAME, description="Ranks music for a film from its tags, plot and image.")
    return client.create_model_version(NAME, f"models:/{model_id}", run_id, tags=tags, model_id=model_id)
