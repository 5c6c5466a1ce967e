"""The lab itself: VMs reach each other over the bridge, and nothing is left behind."""

from __future__ import annotations

import socket
import subprocess

import pytest
from lab import Lab

pytestmark = pytest.mark.netns


def names():
    return subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout


def test_virtual_machines_reach_each_other():
    with Lab("self") as lab:
        a = lab.vm("a", addresses=["10.9.0.1/24", "fd09::1/64"])
        b = lab.vm("b", addresses=["10.9.0.2/24", "fd09::2/64"])
        lab.run(a, "ping", "-c1", "-W2", "10.9.0.2")
        lab.run(a, "ping", "-c1", "-W2", "fd09::2")
        assert b.index == lab.index(b.port)
        assert lab.prefix in names()
    assert lab.prefix not in names()


def test_a_socket_stays_in_its_namespace():
    with Lab("self") as lab:
        a = lab.vm("a", addresses=["10.9.0.1/24"])
        b = lab.vm("b", addresses=["10.9.0.2/24"])
        with lab.inside(b):
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with lab.inside(a):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver, sender:
            receiver.settimeout(5)
            receiver.bind(("10.9.0.2", 5000))
            sender.sendto(b"hello", ("10.9.0.2", 5000))
            assert receiver.recvfrom(100)[0] == b"hello"


def test_what_was_spawned_is_ended():
    with Lab("self") as lab:
        process = lab.spawn(lab.host, "sleep", "60")
    assert process.returncode is not None
