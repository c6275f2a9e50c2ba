"""docs/features.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.fixture(scope="module")
def rows(repo_root: Path) -> list[list[str]]:
    lines = (repo_root / "docs/features.md").read_text().splitlines()
    return [line.strip("|").split("|") for line in lines if re.match(r"\| \d+ \|", line)]


def test_every_feature_has_its_row(rows):
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1)) and len(rows) >= 43
    assert all(len(row) == 5 and all(cell.strip() for cell in row) for row in rows)


def test_the_tests_named_exist(rows, repo_root):
    named = {match.groups() for row in rows for match in NAMED.finditer(row[4])}
    assert len(named) > 30
    missing = {(file, test) for file, test in named if test not in functions_of(repo_root / "tests" / file)}
    assert not missing
