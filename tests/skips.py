"""In continuous integration (environment variable `CI`), a test may only be skipped for a listed reason.

A pytest plugin: a test or module skipped for any other reason fails the run. Tests that nobody runs
protect nothing, and a summary that ends in "12 skipped" looks like success.
"""

import os

import pytest

ALLOWED = (
    "no CUDA device",  # tests of inference on a GPU
    "there is no PostgreSQL, or no driver for it",  # the one test of an MLflow server on it
    "there is no Chromium on PATH",  # the browser is the only test requirement that pip does not install
)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI"):
        config.pluginmanager.register(SkipCheck())


class SkipCheck:
    """Collects tests skipped for a reason that is not in `ALLOWED`, also from pytest-xdist processes."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}  # reason by test or module

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._check(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._check(report)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.skipped and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.skipped:
            terminalreporter.section("skipped for a reason that is not in tests/skips.py", red=True)
            for name, reason in self.skipped.items():
                terminalreporter.line(f"{name}: {reason}")

    def _check(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):  # expected failures are reported as skipped, too
            reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple | list) else report.longrepr)
            reason = reason.removeprefix("Skipped: ")
            if reason not in ALLOWED:
                self.skipped[report.nodeid] = reason
