"""The network devices of this host, and word when they change."""

from __future__ import annotations

import socket

from pyroute2 import IPRoute

from appliance.daemon.live.places import Device
from appliance.inventory.ports import NO_VLAN

_RTMGRP_LINK = 1
_READ = 64 << 10


def read_devices() -> list[Device]:
    """List all devices."""
    with IPRoute() as route:
        links = list(route.get_links())
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in links}
    return [_device(link, names) for link in links]


def _device(link: object, names: dict[int, str]) -> Device:
    get = link.get_attr  # type: ignore[attr-defined]
    mac = (get("IFLA_ADDRESS") or "").replace(":", "")
    data = (get("IFLA_LINKINFO") or _NOTHING).get_attr("IFLA_INFO_DATA") or _NOTHING
    vlan = data.get_attr("IFLA_VLAN_ID")
    return Device(
        get("IFLA_IFNAME"),
        link["index"],  # type: ignore[index]
        bytes.fromhex(mac),
        names.get(get("IFLA_MASTER") or 0, ""),
        NO_VLAN if vlan is None else int(vlan),
    )


class _Nothing:
    def get_attr(self, name: str) -> None:
        """Answer as an attribute that is not there."""
        del name


_NOTHING = _Nothing()


class DeviceWatch:
    """Becomes readable when a device appears, changes or goes."""

    def __init__(self) -> None:
        """Join the kernel's group for links."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setblocking(False)
        self._socket.bind((0, _RTMGRP_LINK))

    def fileno(self) -> int:
        """Give the descriptor to wait on."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Forget what was told; whoever asks reads the devices anew."""
        while True:
            try:
                self._socket.recv(_READ)
            except BlockingIOError:
                return
            except OSError:  # told more than fits: reading anew is what that calls for
                continue

    def close(self) -> None:
        """Stop watching."""
        self._socket.close()
