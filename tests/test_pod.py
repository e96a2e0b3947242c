"""What the manifests ask of the program, asked of it for real: a root that is read-only, a user
without rights, ``/tmp`` and the workspace alone to write to, and signals to the first process.

Docker is not needed: the wheel is installed into a root of its own (an overlay over this one, in
namespaces of its own), and run there with the arguments, the user, the environment and the places
of image and manifests.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from deepfake_lightning.monitoring.log import PredictionLog
from deepfake_lightning.registry import Registry, Wish, register_bundle
from deepfake_lightning.registry.record import Source
from deepfake_lightning.storage import Workspace, write_json
from tests.test_deploy import DOCKERFILE, PODS, ROOT, _container, _image

_TOOLS = ("unshare", "setpriv", "mount", "chroot")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        os.name != "posix" or os.geteuid() != 0 or not all(map(shutil.which, _TOOLS)),
        reason="takes root, and mount namespaces",
    ),
]

TOKEN = "a-token-of-the-operator-for-this-test"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
USER = 10001
# Run as root in new namespaces; what is given to it is quoted.
MAKE_ROOT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs {aside}
mkdir {aside}/upper {aside}/work {aside}/root
mount -t overlay overlay -o lowerdir=/,upperdir={aside}/upper,workdir={aside}/work {aside}/root
cd {aside}/root
mkdir -p workspace secrets opt
chmod 755 root
mount --rbind /dev dev
mount -t tmpfs -o size=1g,mode=1777 tmpfs tmp
cp {wheel} tmp
chroot . {python} -m venv --without-pip /opt/venv
echo {packages} > opt/venv/lib/{library}/site-packages/dependencies.pth
chroot . {python} -m pip --python /opt/venv/bin/python install -q --no-deps --no-index tmp/*.whl
rm tmp/*.whl
mount --bind {workspace} workspace
mount --bind {secrets} secrets
mount -o remount,bind,ro secrets
mount -o remount,ro .
mount -t proc proc proc
cd workspace
exec chroot {aside}/root setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all env -i --chdir=/workspace {environment} {command}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the program's wheel, built as the image builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(folder), _source(tmp_path_factory.mktemp("source"))], check=True,
    )  # fmt: skip
    (found,) = folder.glob("*.whl")
    return found


def _source(folder: Path) -> str:
    """Copy what the image's context has: a build leaves files beside what it builds."""
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            one = ROOT / line[1:]
            copy = shutil.copytree if one.is_dir() else shutil.copy
            copy(one, folder / one.name)
    return str(folder)


@pytest.fixture
def workspace(tmp_path, crop_bundle):
    """Return a workspace of the pod's user, with a version in production and its training."""
    workspace = Workspace(tmp_path / "mlops")
    run = crop_bundle.run
    shutil.copytree(run, workspace.runs / run.parent.name / run.name)
    wish = Wish("v1.0.0", source=Source(experiment=run.parent.name, run=run.name))
    register_bundle(Registry(workspace), crop_bundle.folder, wish)
    serving = [{"version": "v1.0.0", "share": 1.0}]
    write_json(workspace.environments / "production.json",
               {"schema": 1, "serving": serving, "shadow": []})  # fmt: skip
    PredictionLog(workspace.prediction_log()).close()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "token").write_text(TOKEN)
    for path in (workspace.root, *workspace.root.rglob("*")):
        os.chown(path, USER, USER)
    return workspace


class Pod:
    """A container of the manifests that runs; ``pid`` is its first process."""

    def __init__(self, args, wheel, workspace, aside):
        aside.mkdir()
        image = {**_image(), "PATH": f"/opt/venv/bin:{os.environ['PATH']}"}
        (entry,) = re.findall(r'ENTRYPOINT \["(.+)"\]', DOCKERFILE)
        script = MAKE_ROOT.format(
            aside=aside, wheel=wheel, python=os.path.realpath(sys.executable),
            packages=sysconfig.get_path("purelib"), library=f"python3.{sys.version_info[1]}",
            workspace=workspace.root, secrets=workspace.root.parent / "secrets", user=USER,
            environment=shlex.join(f"{name}={value}" for name, value in image.items()),
            command=shlex.join([entry, *args]),
        )  # fmt: skip
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @property
    def pid(self):
        outer = self.process.pid
        return int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])

    def result(self, seconds=400):
        """Wait for its end; return exit code, what it said, and what it complained of."""
        said, complained = self.process.communicate(timeout=seconds)
        return self.process.returncode, said, complained

    def destroy(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(wheel, workspace, tmp_path):
    """Return a function that runs the arguments of a container, changed: ``start("server")``."""
    pods = []

    def run(name: str, *more: str, **changed: Any) -> Pod:
        args = [
            f"--{flag}={changed.pop(flag)}" if (flag := one[2:].partition("=")[0]) in changed
            else one
            for one in _container(name)["args"]
        ]  # fmt: skip
        pods.append(Pod([*args, *more], wheel, workspace, tmp_path / f"root{len(pods)}"))
        return pods[-1]

    yield run
    for pod in pods:
        pod.destroy()


@pytest.fixture
def picture(write_picture, tmp_path):
    return write_picture(tmp_path / "face.png", size=64).read_bytes()


def wait_until_up(pod, path):
    """Return the address that it says, once its probe's path answers."""
    said = ""
    while (found := re.search(r"http://[\d.]+:\d+", said)) is None:
        line = pod.process.stdout.readline()
        assert line, said + pod.process.stderr.read()
        said += line
    end = time.monotonic() + 180
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            if httpx.get(f"{found[0]}{path}", timeout=30).status_code == 200:
                return found[0]
        time.sleep(0.1)
    raise AssertionError("it does not answer")


def probe(name, kind):
    return _container(name)[kind]["httpGet"]["path"]


def test_the_server(start, workspace, picture, capfd):
    pod = start("server", host="127.0.0.1", port=0)
    url = wait_until_up(pod, probe("server", "readinessProbe"))
    status = Path(f"/proc/{pod.pid}/status").read_text()
    assert re.search(rf"^Uid:\s+{USER}\s+{USER}\s", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NSpid:\s+\d+\s+1$", status, re.MULTILINE)
    answers = [
        httpx.post(f"{url}/v1/predict?already_cropped=true", content=picture, headers=AUTH,
                   timeout=60)
        for _ in range(20)
    ]  # fmt: skip
    assert {one.status_code for one in answers} == {200}, answers[0].text
    assert httpx.get(f"{url}/metrics", headers=AUTH).status_code == 200
    assert httpx.post(f"{url}/v1/predict", content=picture).status_code == 401
    left = sorted(one.name for one in Path(f"/proc/{pod.pid}/root/tmp").iterdir())
    command = Path(f"/proc/{pod.pid}/cmdline").read_text()
    assert TOKEN not in command
    os.kill(pod.pid, signal.SIGTERM)
    began = time.monotonic()
    code, _, complained = pod.result(PODS["server"]["spec"]["terminationGracePeriodSeconds"])
    assert code == 0, complained
    assert time.monotonic() - began < 20
    assert "Read-only" not in complained and "Permission denied" not in complained
    assert TOKEN not in complained
    owners = {path.stat().st_uid for path in workspace.root.rglob("*")}
    assert owners == {USER}
    with capfd.disabled():
        print(f"\n/tmp of the server: {left}")


def test_several_processes(start, picture):
    pod = start("server", "--processes=2", host="127.0.0.1", port=0)
    url = wait_until_up(pod, probe("server", "readinessProbe"))
    for _ in range(10):
        assert httpx.post(f"{url}/v1/predict?already_cropped=true", content=picture,
                          headers=AUTH, timeout=60).status_code == 200  # fmt: skip
    text = httpx.get(f"{url}/metrics", headers=AUTH).text
    assert re.search(r'deepfake_predictions_total\{.*status="200".*\} 10\.0', text)
    os.kill(pod.pid, signal.SIGTERM)
    code, _, complained = pod.result()
    assert code == 0 and "Read-only" not in complained, complained


def test_the_dashboard(start):
    pod = start("dashboard", host="127.0.0.1", port=0)
    wait_until_up(pod, probe("dashboard", "readinessProbe"))
    os.kill(pod.pid, signal.SIGTERM)
    code, _, complained = pod.result()
    assert code == 0, complained
    assert "Read-only" not in complained and "Permission denied" not in complained


def test_what_runs_by_the_clock(start):
    code, said, complained = start("monitor").result()
    assert (code, "production: " in said) == (0, True), (code, said, complained)
    code, said, complained = start("retrain", "--dry_run=true").result()
    assert code == 0, said + complained
    assert "Read-only" not in complained


def test_nothing_else_can_be_written(start):
    """The root is read-only indeed, and who writes there is told so."""
    code, said, complained = start("monitor", "--workspace=/opt/elsewhere").result()
    assert code == 1, said + complained
    assert "Read-only file system" in complained and "Traceback" not in complained
