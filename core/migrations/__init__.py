"""The revisions of the store: `core.schema` runs them, `python -m core.migrations` drafts them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

HERE = Path(__file__).parent
VERSIONS = HERE / "versions"


def config_of(versions: Sequence[Path] = (VERSIONS,), connection: Connection | None = None) -> Config:
    """Return what Alembic has to know: no file on a user's machine says it. `versions` are folders of revisions."""
    config = Config()
    # A line each, as a path may hold any other separator; a percent sign is one only when doubled.
    locations = "\n".join(map(str, versions))
    options = {
        "script_location": str(HERE),
        "version_locations": locations,
        "path_separator": "newline",
        "file_template": "%(rev)s_%(slug)s",
    }
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
