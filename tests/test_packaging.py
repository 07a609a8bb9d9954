"""What travels in the wheel, and what is pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hatchling.build import build_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "adapters", "core")
PINS = {"build": "constraints-build.txt", "run": "constraints.txt", "dev": "constraints-dev.txt"}
PIN = re.compile(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def project() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pins(kind: str) -> dict[str, str]:
    """Every pinned package of a kind with its version."""
    return {name: version for name, version, _ in PIN.findall((ROOT / PINS[kind]).read_text("utf-8"))}


def declared(kind: str) -> list[Requirement]:
    """List what pyproject.toml asks for."""
    table = project()
    build = table["build-system"]["requires"] + table["dependency-groups"]["build"]
    extras = table["project"]["optional-dependencies"].values()
    run = table["project"]["dependencies"] + [name for names in extras for name in names]
    names = {"build": build, "run": run, "dev": build + run + table["dependency-groups"]["dev"]}
    return [Requirement(name) for name in names[kind]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Build the wheel in this process: nothing is fetched, nothing is left behind."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = build_wheel(str(folder))
    return ZipFile(folder / name)


def in_tree(*patterns: str) -> set[str]:
    """Files of the tree that match, as the wheel would name them."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    return {path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts}


def test_wheel_has_the_three_packages_and_nothing_else(wheel: ZipFile) -> None:
    code = in_tree(*(f"{package}/**/*.py" for package in PACKAGES))
    assert "core/__init__.py" in code
    assert code <= set(wheel.namelist())
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.startswith("dpool-")} == {name.split("/")[0] for name in code}


def test_wheel_has_migrations_and_locale(wheel: ZipFile) -> None:
    data = in_tree("core/migrations/**/*", "core/chat/locale/**/*.po", "core/chat/locale/**/*.mo")
    assert data <= set(wheel.namelist())


def test_wheel_keeps_private_things_out(wheel: ZipFile) -> None:
    private = re.compile(r"(^|/)(tests?/|test_|conftest)|[.](db|pyc|yaml|chat)$")
    assert [name for name in wheel.namelist() if private.search(name)] == []


def test_wheel_says_who_it_is(wheel: ZipFile) -> None:
    info = next(name.split("/")[0] for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert "Classifier: Private :: Do Not Upload" in metadata
    assert "License-Expression: MIT" in metadata
    assert "pytest" not in metadata
    assert "dpool = bot.__main__:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


@pytest.mark.parametrize("kind", PINS)
def test_everything_is_pinned_with_hashes(kind: str) -> None:
    text = (ROOT / PINS[kind]).read_text("utf-8")
    rest = [line for line in PIN.sub("", text).splitlines() if line and not line.startswith("#")]
    assert rest == []
    assert pins(kind)


@pytest.mark.parametrize("kind", PINS)
def test_pins_are_what_pyproject_asks_for(kind: str) -> None:
    pinned = pins(kind)
    wrong = [
        str(asked)
        for asked in declared(kind)
        if not asked.specifier.contains(pinned.get(canonicalize_name(asked.name), "0"))
    ]
    assert wrong == []


@pytest.mark.parametrize("kind", ["build", "run"])
def test_pins_agree(kind: str) -> None:
    assert pins(kind).items() <= pins("dev").items()
