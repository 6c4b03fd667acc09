"""Python packages that some commands in ops/ need, in a folder of the checkout that git ignores.

    import python_packages
    python_packages.use()      # from here on `import redis` finds the client library
"""

import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import building

REQUIREMENTS = pathlib.Path(__file__).resolve().parent / "python_requirements.txt"
FOLDER = building.ROOT / ".build" / "python"


def use():
    """Installs what is missing of python_requirements.txt, once, and lets this process and its children import it."""
    place = folder()
    if not place.exists():
        install(place)
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))


def folder():
    """Where the packages are, or will be: another folder for other versions, of them or of Python."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return FOLDER / f"{sys.version_info.major}.{sys.version_info.minor}-{digest}"


def install(place):
    """Installs into `place`, which is there as a whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    print(f"installing Python packages into {place.relative_to(building.ROOT)}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as new:
        target = pathlib.Path(new) / "packages"
        words = [*pip(), "install", "--quiet", "--no-input", "--disable-pip-version-check", "--retries", "10",
                 "--require-hashes", "--target", target, "--requirement", REQUIREMENTS]
        environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
        answer = subprocess.run([str(word) for word in words], stdout=sys.stderr, env=environment)
        if answer.returncode != 0:
            raise building.BuildFailure(
                "Python packages are missing and could not be installed; where there is no registry to be reached, "
                f"make {place} elsewhere and copy it: pip install --target {place} -r {REQUIREMENTS}")
        try:
            target.rename(place)
        except OSError:
            if not place.exists():  # else another process was faster
                raise


def pip():
    """The words that run pip; that of Debian where this Python has none."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    building.ensure_packages("python_packages")
    importlib.invalidate_caches()
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if found := shutil.which("pip3"):
        return [found]
    raise building.BuildFailure("there is no pip, which installs Python packages")
