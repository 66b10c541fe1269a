"""The code of a logged MLflow model, copied into it by `pipeline.tracking.logged`: it answers queries.

The input is a table with the columns title, tags, plot and image (a JPEG, PNG, GIF or WebP file in base64); only those
that the model needs are required. Values are never opened as paths. The output is one row per query with its
`embedding`; with an index it is one row per track, the `k` best of each query in order.
"""

import base64
import binascii
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

if TYPE_CHECKING:
    from PIL.Image import Image

ORIGIN = "{origin}"  # prefix of addresses on the corpus's own server; from `pipeline.corpus`, which is not copied
MAX_IMAGE_CHARS = 27_000_000  # of base64: 20 MB, the web page's limit


class Served(PythonModel):
    """A model, its query encoders, and its index if there is one."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model, its encoders and its index."""
        from pipeline.apps.recommend.index import open_index
        from pipeline.apps.recommend.query import Encoders, QueryEncoder
        from pipeline.core.machine import choose_device
        from pipeline.model.store import WEIGHTS, load_model

        files = {name: Path(path) for name, path in context.artifacts.items()}
        encoders = Encoders(choose_device("auto"))
        self.encoder = QueryEncoder(*load_model(files.pop(WEIGHTS).parent), encoders)
        self.encoder.load()  # fails before the first query
        tables = [path for name, path in files.items() if name.endswith(".parquet")]
        self.index = open_index(tables[0], "log the model again") if tables else None

    def predict(
        self, context: PythonModelContext, model_input: pandas.DataFrame, params: dict[str, Any] | None = None
    ) -> pandas.DataFrame:
        """Return the embeddings of the queries, or their best tracks.

        Raises `MlflowException`, which a server returns as a bad request, for a query that the model cannot answer.
        """
        from pipeline.core.errors import PipelineError

        try:
            return self._answer(model_input, params)
        except PipelineError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error

    def _answer(self, table: pandas.DataFrame, params: dict[str, Any] | None) -> pandas.DataFrame:
        from pipeline.apps.recommend.query import Query
        from pipeline.store.index import INDEX_KEYS

        asked = [
            {name: value for name, value in row.items() if isinstance(value, str) and value.strip()}
            for row in table.to_dict("records")
        ]
        queries = [
            Query(
                row.get("title"), row.get("tags"), row.get("plot"), _picture(row["image"]) if "image" in row else None
            )
            for row in asked
        ]
        vectors = self.encoder.encode(queries)
        if self.index is None:
            return pandas.DataFrame({"embedding": list(vectors)})
        assert params is not None, "MLflow fills in the defaults of the signature"
        rows, scores = self.index.nearest(vectors, params["k"])
        answers = [
            {"query": query, "rank": rank, "score": float(score)}
            | track
            | {name: "" if track[name].startswith(ORIGIN) else track[name] for name in ("url", "source_url")}
            for query, (of_query, of_scores) in enumerate(zip(rows, scores, strict=True))
            for rank, (track, score) in enumerate(zip(self.index.rows(of_query), of_scores, strict=True), start=1)
        ]
        answer = pandas.DataFrame(answers, columns=["query", "rank", "score", *INDEX_KEYS.names])
        for name in ("year", "number"):  # integers, even in a column with missing values
            numbers = [None if pandas.isna(number) else int(number) for number in answer[name]]
            answer[name] = pandas.Series(numbers, dtype=object)
        return answer


def _picture(text: str) -> "Image":
    """Return the picture of a query; raise `ModelError` if it is invalid."""
    from pipeline.core.errors import ModelError
    from pipeline.media.pictures import BadPictureError, read_picture
    from pipeline.store.inputs import MAX_PIXELS

    needed = "expected a JPEG, PNG, GIF or WebP file in base64"
    if len(text) > MAX_IMAGE_CHARS:
        raise ModelError(f"image: {len(text)} characters, at most {MAX_IMAGE_CHARS} are allowed")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
        return read_picture(io.BytesIO(data), MAX_PIXELS)
    except (binascii.Error, ValueError):  # other characters
        raise ModelError(f"image: not base64; {needed}, not a path") from None
    except BadPictureError as error:
        raise ModelError(f"image: {error.problem}; {needed}") from None


set_model(Served())
