"""Failures as JSON, `{"error": "..."}`, without tracebacks and without folders of this machine."""

import re
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pipeline.apps.web.guards import problem
from pipeline.core.errors import PipelineError

SHOWN = 60  # characters of the value sent
FOLDERS = re.compile(r"(?<![\w/:.])/(?:[^/\s'\"]+/)+(?=[^/\s'\"])")  # the folders of an absolute path
UNKNOWN = "not found; /docs lists the addresses of this server"


class Refused(Exception):
    """A request that cannot be answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def answer_failures(app: FastAPI, folders: list[Path]) -> None:
    """Add exception handlers to `app`; paths in messages are relative to `folders`, others only a name."""

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
    """Return `message` with paths relative to `folders`, and other absolute paths cut to their last part."""
    for folder in sorted((str(folder.resolve()) for folder in folders), key=len, reverse=True):
        message = message.replace(f"{folder}/", "").replace(folder, "this folder")
    return FOLDERS.sub("", message)


def _described(item: dict) -> str:
    key = ".".join(str(part) for part in item["loc"][1:])
    found = repr(item["input"])
    found = found if len(found) <= SHOWN else f"{found[:SHOWN]}…"
    return f"{key}: found {found}, {item['msg'].removeprefix('Input ')}"
