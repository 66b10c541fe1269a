"""Which libraries computed a table."""

from importlib.metadata import version


def versions(*packages: str) -> dict[str, str]:
    """Return the installed version of each package."""
    return {package: version(package) for package in packages}
