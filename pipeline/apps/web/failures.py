"""Failures in plain words: `{"error": "..."}`, without a traceback and without where things lie on this machine."""

import re
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline.apps.web.guards import problem
from pipeline.core.errors import PipelineError

SHOWN = 60  # characters of what was sent
FOLDERS = re.compile(r"(?<![\w/:.])/(?:[^/\s'\"]+/)+(?=[^/\s'\"])")  # of an absolute path, up to its last part
UNKNOWN = "there is nothing at this address; /docs lists what there is"


class Refused(Exception):
    """A request that cannot be answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer_failures(app: FastAPI, folders: list[Path]) -> None:
    """Let `app` answer failures; paths below `folders` are shown relative to them, of others the name alone."""

    @app.exception_handler(PipelineError)
    def _of_pipeline(request: Request, error: PipelineError) -> JSONResponse:
        return problem(422, without_folders(str(error), folders))

    @app.exception_handler(Refused)
    def _refused(request: Request, error: Refused) -> JSONResponse:
        return problem(error.status, str(error))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        if any(item["loc"][0] == "path" for item in error.errors()):
            return problem(404, UNKNOWN)
        return problem(422, "; ".join(_described(item) for item in error.errors()))

    @app.exception_handler(HTTPException)
    def _of_http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, UNKNOWN if error.status_code == 404 else error.detail)
        answer.headers.update(error.headers or {})
        return answer


def without_folders(message: str, folders: list[Path]) -> str:
    """Return `message` with paths below `folders` relative to them, and of other absolute ones the last part alone."""
    for folder in sorted((str(folder.resolve()) for folder in folders), key=len, reverse=True):
        message = message.replace(f"{folder}/", "").replace(folder, "this folder")
    return FOLDERS.sub("", message)


def _described(item: dict) -> str:
    key = ".".join(str(part) for part in item["loc"][1:])
    found = repr(item["input"])
    found = found if len(found) <= SHOWN else f"{found[:SHOWN]}…"
    return f"{key}: found {found}, {item['msg'].removeprefix('Input ')}"
