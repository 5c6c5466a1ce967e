"""Hosts with keys and permissions as ``docs/cluster.md`` says, over TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import sys
from pathlib import Path

import nkeys
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.netns.cluster import cluster_of, move, passes
from tests.netns.hosts import two_hosts
from tests.netns.running import Talk, listen
from tests.netns.test_enforced import ALLOWED, RULE, policies

pytestmark = pytest.mark.netns
DOCUMENT = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
TRY = """
import asyncio, ssl, sys, nats
async def main():
    said = []
    async def note(error):
        said.append(str(error).lower())
    context = ssl.create_default_context(cafile=sys.argv[2])
    client = await nats.connect(sys.argv[1], tls=context, nkeys_seed=sys.argv[3], error_cb=note,
                                inbox_prefix="_INBOX.two", allow_reconnect=False)
    for subject in sys.argv[4:]:
        how, _, name = subject.partition(":")
        await (client.publish(name, b"{}") if how == "say" else client.subscribe(name))
    await client.flush()
    await asyncio.sleep(0.5)
    print(sum("permissions violation" in one for one in said))
asyncio.run(main())
"""


def key_pair(path):
    """Write a seed that only its owner can read; gives the public key."""
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    path.write_bytes(seed)
    path.chmod(0o600)
    return nkeys.from_seed(bytearray(seed)).public_key.decode()


def certificates(folder, address):
    """Write a CA and a server's certificate for an address."""
    now, key = dt.datetime.now(dt.UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(private)


def server_file(folder, keys):
    """Give what the document says, for these hosts."""
    found = re.search(r"```\n(port: 4222\n.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    block = found[1]
    user = re.search(r"    \{ nkey:.*?\n      \} \}", block, re.DOTALL)
    assert user is not None
    users = []
    for host, key in keys.items():
        users.append(user[0].replace("PUBLIC KEY OF host-1", key).replace("host-1", host))
    tls = re.search(r"tls \{.*\}", block)
    assert tls is not None
    secure = (
        tls[0].replace("server.pem", f"{folder}/server.pem").replace("server.key", f"{folder}/server.key")
    )
    return secure + "\nauthorization {\n  users: [\n" + ",\n".join(users) + "\n  ]\n}\n"


@pytest.fixture
def hosts():
    with two_hosts() as hosts:
        hosts.a = hosts.vm(hosts.one, "a", 1)
        hosts.b = hosts.vm(hosts.one, "b", 2)
        hosts.a2 = hosts.vm(hosts.two, "a2", 3)
        listen(hosts.one, hosts.b, ALLOWED)
        yield hosts


def test_machines_move_with_the_permissions_of_the_document(hosts, tmp_path):
    keys = {name: key_pair(tmp_path / f"{name}.nk") for name in ("one", "two")}
    certificates(tmp_path, "10.99.0.10")
    with cluster_of(hosts, tmp_path, extra=server_file(tmp_path, keys)) as cluster:
        made = []
        for lab, name in ((hosts.one, "one"), (hosts.two, "two")):
            access = {
                "tls": {"ca": str(tmp_path / "server.pem")},
                "credentials": {"nkey": str(tmp_path / f"{name}.nk")},
            }
            made.append(
                cluster.appliance(lab, tmp_path / name, [policies()], RULE, cluster=access | {"follow": True})
            )
        first, second = made
        with first, second:
            talk = Talk(hosts.two, hosts.a2, "10.9.0.2", ALLOWED)
            assert talk.say("one") == "one"
            move(hosts, second, hosts.b)
            assert second.wait_record("eastwall", eastwall__event="handoff.done")["eastwall"]["lost"] == 0
            second.wait_for(lambda: talk.say("two") == "two", "its answer", 30)
            assert first.status()["cluster"]["counts"].get("errors", 0) == 0, (
                "the document allows what is needed"
            )
            assert {one["host"] for one in first.ask("hosts")["hosts"]} == {"one", "two"}
            forged = (
                "say:eastwall.to.one.three.say",
                "say:$KV.eastwall-hosts.one",
                "say:$KV.eastwall-policies.bundle",
            )
            overheard = ("hear:eastwall.to.one.>", "hear:_INBOX.one.>")
            command = (sys.executable, "-c", TRY, "nats://10.99.0.10:4222", str(tmp_path / "server.pem"))
            seed = str(tmp_path / "two.nk")
            assert hosts.two.run(hosts.two.host, *command, seed, *forged, *overheard).strip() == "5"
            seeds = [(tmp_path / f"{name}.nk").read_text().strip() for name in keys]
            shown = str(first.status()) + str(first.ask("handoff", action="status")) + first.eve.read_text()
            assert not any(one in shown for one in seeds)
            talk.close()
        said = first.stop()
        assert not any(one in said for one in seeds)


def test_a_server_without_tls_gets_nothing_from_a_host_that_wants_it(hosts, tmp_path):
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "secret").chmod(0o600)
    certificates(tmp_path, "10.99.0.10")
    access = {
        "tls": {"ca": str(tmp_path / "server.pem")},
        "credentials": {"user": "u", "password": str(tmp_path / "secret")},
    }
    with cluster_of(hosts, tmp_path, extra='authorization { user: "u", password: "hunter2" }') as cluster:
        first = cluster.appliance(hosts.one, tmp_path / "one", [policies()], RULE, cluster=access)
        first.spawn()
        first.wait_record("eastwall", 120, eastwall__event="cluster.unreachable")
        assert "does not speak TLS" in first.status()["cluster"]["problem"]
        assert not passes(first, hosts.b)
        assert "hunter2" not in first.stop()
        (tmp_path / "secret").chmod(0o644)
        first.spawn()
        assert first.process is not None
        first.process.wait(60)
        assert f"chmod 600 {tmp_path / 'secret'}" in first.stop()
