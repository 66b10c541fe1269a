"""MLflow's registry: each published model is a version of one registered model, and one alias names the current one."""

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
SHOWN = ("recall_at_", "mrr")  # figures of the headline that are tags of a version
PUBLISHED_TAG = "published.digest"  # of weights, config, index and the code that answers


@never_fails
def register_published(root: Path, folder: Path, headline: dict[str, Any]) -> None:
    """Register the model that `publish` wrote to `folder`, with figures of `headline`, and give it the alias.

    A copy of the repository registers nothing: what is published there is not published here.
    """
    if root.resolve() != repository(root):
        log.info("MLflow: an experiment in a copy registers no model; after `dvc exp apply` `sync-mlflow` does")
        return
    version, is_new = registered(root, connected(root), folder, headline)
    log.info("MLflow: models:/%s@%s is version %s%s", NAME, ALIAS, version, "" if is_new else ", as before")


def registered(root: Path, mlflow: ModuleType, folder: Path, headline: dict[str, Any]) -> tuple[str, bool]:
    """Return the version that holds the model of `folder` and now has the alias, and whether anything was new in it.

    A model that is a version already, the current or an earlier one, does not become another.
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
    """Return the version that has the alias, None without one."""
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
            "MLflow: no run trained the published model (DVC restored it from its cache); it is registered without one"
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
        client.create_registered_model(NAME, description="Given a film's tags, plot and image: the music for it.")
    return client.create_model_version(NAME, f"models:/{model_id}", run_id, tags=tags, model_id=model_id)
