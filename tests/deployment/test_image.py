"""The image: its file is well formed, and what it takes along is enough for each service."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment.variables import ROOT, SETTINGS

TEXT = (ROOT / "Dockerfile").read_text()


def test_the_file_is_well_formed():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize(
    ("service", "module"),
    [
        *((name, f"{name}.__main__") for name in SETTINGS),
        ("carillon_stack", "carillon_stack.sandbox.__main__"),
    ],
)
def test_a_service_finds_all_it_imports_in_its_image(service, module, tmp_path):
    sources = re.findall(r"^COPY (\S+) \1$", TEXT, re.MULTILINE)
    assert sources == ["shared", "${SERVICE}"]
    without_caches = shutil.ignore_patterns("__pycache__")
    for source in ("shared", service):
        shutil.copytree(ROOT / source, tmp_path / source, ignore=without_caches)
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_an_image_takes_along_is_not_ignored():
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert kept == {"requirements/runtime.txt", "shared", "carillon_stack", *SETTINGS}


def test_the_image_is_not_run_by_root_and_listens_for_others():
    assert re.search(r"^USER 10001$", TEXT, re.MULTILINE)
    assert "HOST=0.0.0.0" in TEXT


def test_the_workflow_fits_its_schema_and_builds_each_image():
    workflow = ROOT / ".github/workflows/checks.yml"
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    done = subprocess.run(
        [*check, "vendor.github-workflows", workflow], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = re.findall(r"^          - (\w+)$", workflow.read_text(), re.MULTILINE)
    assert sorted(built) == sorted(SETTINGS)
    used = re.findall(r"uses: (\S+)", workflow.read_text())
    assert used
    assert all(re.search(r"@[0-9a-f]{40}$", action) for action in used)
