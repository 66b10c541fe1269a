"""What several routes tell OpenAPI: how they fail, and how they are asked from the command line."""

from typing import Any

from fastapi import FastAPI

from pipeline.apps.web.schema import Problem

ORIGIN = "http://127.0.0.1:8000"  # of the examples
PASSWORD = '-H "Authorization: Bearer $SOUNDTRACK_PASSWORD"'
WIDTH = 80  # characters of a command that stands on one line
FAILURES = {
    400: "It is malformed",
    403: "The form came from a page of another site",
    404: "There is no such thing",
    409: "Something else is going on",
    413: "More was sent than is allowed",
    416: "The file ends before that part",
    422: "It cannot be answered so",
}


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route that fails with `codes`."""
    return {code: {"model": Problem, "description": FAILURES[code]} for code in codes}


def describe(app: FastAPI, is_protected: bool) -> None:
    """Let `app` describe itself without the answers that FastAPI adds for parameters which cannot be wrong.

    The description of each operation ends in its example, which sends the password if there is one.
    """
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        found = made()
        for of_path in found["paths"].values():
            for operation in of_path.values():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
                for sample in operation.get("x-codeSamples", []):
                    if is_protected:
                        sample["source"] = sample["source"].replace("curl", f"curl {PASSWORD}", 1)
                    operation["description"] = f"{operation.get('description', '')}\n\n```\n{sample['source']}\n```"
        for name in ("HTTPValidationError", "ValidationError"):
            found["components"]["schemas"].pop(name, None)
        return found

    app.openapi = described  # type: ignore[method-assign]  # the way that FastAPI documents


def curl(address: str, *options: str) -> dict[str, Any]:
    """Return the example of a route: `curl` with `options` and the `address` on this server."""
    words = ["curl", *options, f"'{ORIGIN}{address}'" if "&" in address else ORIGIN + address]
    together = " ".join(words)
    source = together if len(together) <= WIDTH else " \\\n  ".join(words)
    return {"x-codeSamples": [{"lang": "Shell", "source": source}]}
