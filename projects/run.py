"""Try our callback in the projects of others, each in an environment of its own.

python projects/run.py               # all of them: minutes each, some GB in projects/venvs
python projects/run.py darts hydra   # these
"""

import subprocess
import sys
import tempfile
import venv
from importlib.metadata import distributions
from pathlib import Path

HERE = Path(__file__).resolve().parent

# What pip installs for projects/in_<name>.py.
PROJECTS = {
    "finetuning_scheduler": "finetuning-scheduler",
    "hydra": "hydra-core",
    "darts": "darts[torch]",
    "neuralforecast": "neuralforecast",
    "pytorch_forecasting": "pytorch-forecasting",
    "pytorch_tabular": "pytorch-tabular requests",  # which it imports without asking for it
    "gluonts": "gluonts[torch]",
    "chemprop": "chemprop",
    "scvi_tools": "scvi-tools",
}


def installed(name: str) -> Path:
    """The environment of a project, made if it is not there."""
    folder = HERE / "venvs" / name
    ready = folder / "ready"
    if not ready.exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--no-compile"]
        command = [*pip, "-c", str(HERE / "constraints.txt"), "-e", str(HERE.parent), *PROJECTS[name].split()]
        subprocess.run(command, check=True)
        ready.touch()  # last: an interrupted installation is made anew
    return folder


def versions(folder: Path, *packages: str) -> list[str]:
    """Of these packages, in an environment."""
    (site,) = folder.glob("lib/python*/site-packages")
    there = {
        found.metadata["Name"].lower().replace("_", "-"): found.version for found in distributions(path=[str(site)])
    }
    return [there.get(package, "") for package in packages]


def outcome(name: str) -> str:
    """What became of a project's script: what it says it compared, or its last line."""
    folder = installed(name)
    with tempfile.TemporaryDirectory() as cwd:
        command = [str(folder / "bin" / "python"), str(HERE / f"in_{name}.py")]
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    said = [line for line in result.stdout.splitlines() if line.endswith("as they should be")]
    if result.returncode:
        said = ["failed: " + (result.stderr.strip().splitlines() or [""])[-1]]
    project = PROJECTS[name].split()[0].partition("[")[0]
    version, lightning = versions(folder, project, "pytorch-lightning")
    return f"| {project} {version} | {lightning} | {'; '.join(said)} |"


def main() -> None:
    """Print a row of docs/projects.md for each."""
    rows = [outcome(name) for name in sys.argv[1:] or PROJECTS]
    print("| project | Lightning | outcome |\n|---|---|---|", *rows, sep="\n")
    if any("failed: " in row for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
