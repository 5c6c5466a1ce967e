"""A monolithic libvirtd on each host of the fabric, apart from the machine's own by mounts and names.

Each has folders of its own in place of /run and libvirt's own, and its socket where tests find it.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from pathlib import Path

import platformdirs
from fabric import ALLOWED, DENIED, INSIDE, MAC, OUTSIDE
from small_guest import LIMIT, MEMORY, Console, boot_files, command_line

from tests.netns.lab import BRIDGE, Lab, call
from tests.netns.running import uuid_of

SHELL = "/var/lib/libvirt/shell"  # libvirt removes it where the guest leaves, so it is private too
PRIVATE = ("/var/lib/libvirt", "/var/log/libvirt", "/etc/libvirt")
# Capabilities of QEMU take libvirtd long to find out, so they are kept. There is no /dev/kvm: it would be
# tried, and as long as it is there and does not work the capabilities are found out anew each time.
START = """
set -e
mount -t tmpfs tmpfs /run
for part in {private}; do mkdir -p {folder}/private$part; mount --bind {folder}/private$part $part; done
mkdir -p /var/cache/libvirt
mount --bind {cache} /var/cache/libvirt
mkdir {folder}/dev
mount -t tmpfs tmpfs {folder}/dev
mkdir {folder}/dev/net {folder}/dev/pts {folder}/dev/shm
for one in null zero full random urandom net/tun; do
  touch {folder}/dev/$one
  mount --bind /dev/$one {folder}/dev/$one
done
mount --bind /dev/pts {folder}/dev/pts
ln -s pts/ptmx {folder}/dev/ptmx
mount --move {folder}/dev /dev
mkdir -p /etc/libvirt/qemu
cp {folder}/qemu.conf /etc/libvirt/qemu.conf
hostname {name}
echo "127.0.0.1 localhost {name}" > {folder}/hosts
mount --bind {folder}/hosts /etc/hosts
exec libvirtd -f {folder}/libvirtd.conf
"""
QEMU = """
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = []
stdio_handler = "file"
namespaces = []
remember_owner = 0
migration_address = "0.0.0.0"
"""
DAEMON = """
listen_tls = 0
listen_tcp = 0
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_dir = "{folder}"
host_uuid = "{host}"
log_outputs = "2:file:{folder}/log"
"""
DOMAIN = """
<domain type="qemu">
  <name>b</name>
  <uuid>{uuid}</uuid>
  <memory unit="MiB">{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch="x86_64" machine="q35">hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>{line}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode="custom" match="exact"><model>Nehalem</model></cpu>
  <devices>
    <controller type="pci" index="0" model="pcie-root"/>
    {room}
    {interface}
    <serial type="unix"><source mode="bind" path="{shell}"/></serial>
    <memballoon model="none"/>
  </devices>
</domain>
"""
INTERFACE = """
<interface type="bridge">
  <mac address="{mac}"/><source bridge="{bridge}"/><model type="virtio"/><rom enabled="no"/>
  <alias name="ua-{name}"/>
</interface>
"""


class Libvirtd:
    """One daemon, in the namespace of a lab's host. ``folder`` has to have a short name (sockets)."""

    def __init__(self, lab: Lab, folder: Path, name: str) -> None:
        """Start it, and wait until it answers."""
        self.lab, self.folder, self.name = lab, folder, name
        folder.mkdir()
        cache = platformdirs.user_cache_path("eastwall") / "libvirt"
        cache.mkdir(parents=True, exist_ok=True)
        (folder / "qemu.conf").write_text(QEMU)
        (folder / "libvirtd.conf").write_text(DAEMON.format(folder=folder, host=uuid.uuid4()))
        script = START.format(private=" ".join(PRIVATE), folder=folder, cache=cache, name=name)
        argv = ["ip", "netns", "exec", lab.host, "unshare", "--mount", "--uts", "sh", "-c", script]
        with (folder / "said").open("w") as said:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    @property
    def uri(self) -> str:
        """Give what clients connect to."""
        return f"qemu+unix:///system?socket={self.folder}/libvirt-sock"

    def _wait(self) -> None:
        end = time.monotonic() + LIMIT
        while not self.virsh("version", check=False):
            said = (self.folder / "said").read_text()
            assert time.monotonic() < end, f"libvirtd does not answer: {said}"
            assert self._process.poll() is None, f"libvirtd has ended: {said}"
            time.sleep(0.2)

    def virsh(self, *argv: str, check: bool = True) -> str:
        """Run virsh, and give what it says."""
        return call("virsh", "-q", "-c", self.uri, *argv, check=check, timeout=LIMIT)

    def start(self) -> None:
        """Define and start the guest, and wait until it serves."""
        described = self.folder / "b.xml"
        described.write_text(domain(self.folder.parent))
        self.virsh("define", str(described))
        self.virsh("start", "b")
        with self.console() as console:
            console.wait_ready()

    def console(self) -> Console:
        """Give the guest's console, wherever it runs; one at a time."""
        return Console(self.folder / f"private{SHELL}")

    def migrate(self, to: Libvirtd, address: str) -> None:
        """Move the guest to another host."""
        self.virsh("migrate", "--live", "b", to.uri, "--migrateuri", f"tcp://{address}")

    def state(self) -> str:
        """Give the guest's state; "" where there is none."""
        return self.virsh("domstate", "b", check=False).strip()

    def close(self) -> None:
        """End the guest and the daemon."""
        if self._process.poll() is None:
            self.virsh("destroy", "b", check=False)
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)


def domain(folder: Path) -> str:
    """Describe the guest; ``folder`` has what it boots."""
    kernel, initramfs = boot_files(folder)
    return DOMAIN.format(
        uuid=uuid_of("b"),
        memory=MEMORY,
        kernel=kernel,
        initramfs=initramfs,
        line=command_line(f"{INSIDE}/24", OUTSIDE, (ALLOWED, DENIED)),
        room='<controller type="pci" model="pcie-root-port"/>'
        * 6,  # what is plugged in later needs a free one
        interface=interface("eth0", MAC),
        shell=SHELL,
    )


def interface(name: str, mac: str) -> str:
    """Describe an interface on the bridge."""
    return INTERFACE.format(name=name, mac=mac, bridge=BRIDGE)
