"""On continuous integration, where the environment variable `CI` is set, only listed reasons may skip a test.

A plugin of pytest: a test or module that is skipped for any other reason makes the run fail. Tests that nobody runs
protect nothing, and a summary that ends in "12 skipped" looks like success.
"""

import os

import pytest

ALLOWED = (
    "no CUDA device",  # of the tests of inference on a GPU
    "there is no PostgreSQL, or no driver for it",  # of the one test of a server of MLflow on it
    "there is no Chromium on PATH",  # the browser is the one requirement of the tests that pip does not install
)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI"):
        config.pluginmanager.register(SkipCheck())


class SkipCheck:
    """Collects what was skipped for a reason that is not in `ALLOWED`; also from the processes of pytest-xdist."""

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
        if report.skipped and not hasattr(report, "wasxfail"):  # an expected failure is reported as skipped, too
            reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple | list) else report.longrepr)
            reason = reason.removeprefix("Skipped: ")
            if reason not in ALLOWED:
                self.skipped[report.nodeid] = reason
