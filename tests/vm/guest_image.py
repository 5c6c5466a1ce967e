"""The kernel and initramfs that test guests boot, made of a Debian kernel package and busybox.

A guest has no disk: its initramfs holds just enough modules to mount the host's root file system read-only
over 9p, with a tmpfs on top. So the guest has every program and library of the host, the working tree and the
virtual environment, at the paths they have outside. What was made is kept in the user's cache folder.
"""

from __future__ import annotations

import fcntl
import gzip
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

PACKAGE = "linux-image-amd64"  # the generic flavour: the cloud one has no 9p
BUSYBOX = Path("/bin/busybox")
LIMIT = 300.0  # seconds for one step of the preparation

# What is taken from the package, as patterns of tar.
PARTS = ["./boot/vmlinuz-*", "./lib/modules/*/modules.*"] + [
    f"./lib/modules/*/kernel/{part}"
    for part in ("net/*", "lib/*", "crypto/*", "arch/x86/crypto/*", "fs/9p/*", "fs/netfs/*", "fs/fscache/*",
                 "fs/overlayfs/*", "drivers/virtio/*", "drivers/net/v*", "drivers/net/net_failover.ko",
                 "drivers/net/dummy.ko", "drivers/net/macvlan.ko", "drivers/net/tun.ko",
                 "drivers/char/virtio_console.ko")
]  # fmt: skip

# What the initramfs loads by itself; the rest comes through modprobe once the root is there.
FIRST_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "virtio_net"]

INIT = """#!/bin/busybox sh
set -e
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod "$module"; done
option() { /bin/busybox sed -n "s/.*$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
/bin/busybox mount -t tmpfs tmpfs /top
/bin/busybox mkdir /top/upper /top/work
/bin/busybox mount -t overlay -o lowerdir=/host,upperdir=/top/upper,workdir=/top/work root /root
for folder in proc sys dev run lib/modules; do /bin/busybox mkdir -p /root/$folder; done
/bin/busybox mount -t tmpfs tmpfs /root/run
/bin/busybox mount -t tmpfs tmpfs /root/lib/modules
/bin/busybox mkdir "/root/lib/modules/$(/bin/busybox uname -r)"
/bin/busybox mount --bind "/host$(option modules)" "/root/lib/modules/$(/bin/busybox uname -r)"
python=$(option python)
agent=$(option agent)
for folder in proc sys dev; do /bin/busybox mount --move /$folder /root/$folder; done
exec /bin/busybox switch_root /root "$python" "$agent"
"""


class ImageError(Exception):
    """Raised if the guest's kernel cannot be had; the message says what is missing."""


@dataclass(frozen=True)
class Image:
    """What a guest boots: paths on the host."""

    kernel: Path
    initramfs: Path
    modules: Path


def image() -> Image:
    """Give the guest's kernel and initramfs; makes them on the first call on a machine."""
    cache = platformdirs.user_cache_path("eastwall") / "guest"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        where = cache / "kernel"
        if not where.is_dir():
            _unpack(cache, where)
        version = next((where / "lib/modules").iterdir())
        initramfs = where / "initramfs.gz"
        wanted = gzip.compress(archive(version, FIRST_MODULES, INIT), 1, mtime=0)
        if not initramfs.exists() or initramfs.read_bytes() != wanted:
            initramfs.write_bytes(wanted)
    return Image(next((where / "boot").glob("vmlinuz-*")), initramfs, version)


def _unpack(cache: Path, where: Path) -> None:
    """Download the kernel package and unpack what a guest needs of it."""
    with tempfile.TemporaryDirectory(dir=cache) as name:
        part = Path(name) / "tree"
        part.mkdir()
        package = _download(Path(name))
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as reader:
            _run(["tar", "-x", "-C", str(part), "--wildcards", *PARTS], stdin=reader.stdout)
        version = next((part / "lib/modules").iterdir()).name
        _run(["depmod", "-b", str(part), version])
        shutil.move(part, where)


def _download(folder: Path) -> Path:
    """Fetch the kernel package that the metapackage stands for."""
    for program in ("apt-get", "dpkg-deb", "depmod", str(BUSYBOX)):
        if shutil.which(program) is None:
            raise ImageError(f"{program} is missing: run .ci/system-packages on a Debian machine")
    if _run(["apt-cache", "show", PACKAGE], check=False).returncode:
        _run(["apt-get", "update", "-qq"])
    depends = _run(["apt-cache", "depends", PACKAGE]).stdout.split()
    real = next(word for word in depends if word.startswith("linux-image-") and word != PACKAGE)
    if _run(["apt-get", "download", real], cwd=folder, check=False).returncode:
        _run(["apt-get", "update", "-qq"])  # the list was older than the archive
        _run(["apt-get", "download", real], cwd=folder)
    return next(folder.glob("*.deb"))


def _run(command: list[str], check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT, **options)
    if check and done.returncode:
        raise ImageError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done


def archive(modules: Path, names: list[str], init: str) -> bytes:
    """Give an initramfs as a cpio archive ("newc" format, see the kernel's initramfs buffer format).

    It has busybox, ``init`` as the first program, and in ``/modules`` those of ``names`` with all they depend
    on, in the order in which to load them.
    """
    folders = ["bin", "proc", "sys", "dev", "host", "top", "root", "modules"]
    entries = [(name, 0o40755, b"") for name in folders]
    entries.append(("bin/busybox", 0o100755, BUSYBOX.read_bytes()))
    entries.append(("init", 0o100755, init.encode()))
    entries += [
        (f"modules/{place:02}-{module.name}", 0o100644, module.read_bytes())
        for place, module in enumerate(_load_order(modules, names))
    ]
    return b"".join(_record(place, *entry) for place, entry in enumerate(entries, 1)) + _record(
        0, "TRAILER!!!", 0, b""
    )


def _record(inode: int, name: str, mode: int, content: bytes) -> bytes:
    fields = [inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)


def _load_order(modules: Path, names: list[str]) -> list[Path]:
    """Give modules and all they depend on, each after what it needs."""
    depends: dict[str, list[str]] = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, needs = line.partition(":")
        depends[path] = needs.split()
    order: dict[str, None] = {}
    for name in names:
        path = next(path for path in depends if Path(path).stem == name)
        order |= dict.fromkeys([*reversed(depends[path]), path])
    return [modules / path for path in order]
