"""OpenAPI descriptions shared by the routes: failures, and examples with curl."""

from typing import Any

from fastapi import FastAPI

from pipeline.apps.web.schema import Problem

ORIGIN = "http://127.0.0.1:8000"  # in the examples
PASSWORD = '-H "Authorization: Bearer $SOUNDTRACK_PASSWORD"'
WIDTH = 80  # characters; longer commands are broken
FAILURES = {
    400: "Malformed request",
    403: "Not allowed from another site or machine",
    404: "Not found",
    409: "Another library is being indexed",
    413: "Request too large",
    416: "Range beyond the end of the file",
    422: "Invalid value",
}


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that fails with `codes`."""
    return {code: {"model": Problem, "description": FAILURES[code]} for code in codes}


def describe(app: FastAPI, is_protected: bool) -> None:
    """Make `app` omit the validation errors that FastAPI adds to routes whose parameters cannot be invalid.

    Append each operation's example to its description, with the password if there is one.
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
    """Return the example of a route: `curl` with `options` and the `address`."""
    words = ["curl", *options, f"'{ORIGIN}{address}'" if "&" in address else ORIGIN + address]
    together = " ".join(words)
    source = together if len(together) <= WIDTH else " \\\n  ".join(words)
    return {"x-codeSamples": [{"lang": "Shell", "source": source}]}
