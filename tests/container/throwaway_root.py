"""A root file system to build in: this machine's own, with whatever is changed kept in memory and gone afterwards."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = """
set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0/changed" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/changed,workdir=$0/work" "$0/root"
for name in dev proc; do mount --rbind "/$name" "$0/root/$name"; done
mount -t tmpfs -o mode=1777 tmpfs "$0/root/tmp"
echo mounted
cat
"""


@dataclass(frozen=True)
class Root:
    """The root, which is seen in the mount namespace of the process `holder` alone."""

    folder: Path
    holder: int

    def run(self, shell: str, *, cwd: str = "/", env: Mapping[str, str], user: str = "0:0") -> str:
        """What a shell in the root prints; it has to end well."""
        variables = [f"{name}={value}" for name, value in env.items()]
        command = ["env", "--ignore-environment", f"--chdir={cwd}", *variables, "sh", "-c", shell]
        return self._within("chroot", f"--userspec={user}", str(self.folder / "root"), *command)

    def bring(self, source: Path, target: str) -> None:
        """Copy a file or folder of this machine's, without what Python compiled, to a folder in the root."""
        where = f"{self.folder}/root/{target.lstrip('/')}"
        self._within("install", "--directory", where)
        self._within("cp", "--recursive", str(source), where)
        self._within("find", f"{where}/{source.name}", "-name", "__pycache__", "-prune", "-exec", "rm", "-r", "{}", "+")

    def _within(self, *command: str) -> str:
        enter: Sequence[str] = ("nsenter", f"--mount=/proc/{self.holder}/ns/mnt", "--")
        ended = subprocess.run(
            [*enter, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{command[-1]}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        return ended.stdout


@contextmanager
def throwaway_root(folder: Path) -> Iterator[Root | None]:
    """A root until the block ends; None where this process may not mount."""
    folder.mkdir()
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNTS, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            yield Root(folder, holder.pid) if holder.stdout.readline() == "mounted\n" else None
        finally:
            holder.stdin.close()
