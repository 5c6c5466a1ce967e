"""Our rules over real captures: techniques are named, everyday traffic raises no virtual patch."""

from __future__ import annotations

import pytest
from rule_traffic import alerts_of, load

from appliance.capture.pcap import PcapSource

pytestmark = pytest.mark.shared

# What an alert on the capture must name. The captures begin in the middle of connections.
TECHNIQUES = {
    "C2_Foudre_Backdoor_DGA": "DGA",
    "CA_masterkey_rpc_protectedstorage": "BackupKey",
    "CVE-2020-0796_SMBGhost_PrivEsc_Loopback_traffic": "SMBGhost",
    "CVE-2020-1472_Zerologon_RPC_NetLogon_NullChallenge_SecChan_6_from_nonDC_to_DC": "Zerologon",
    "CredAccess_BackupMasterKey_LSARPC_43_RetrievePrivateData": "LsarRetrievePrivateData",
    "DCShadow_add_primarygroupid_512_to_std_account": "DCShadow",
    "DE_byt3bl33d3r_remote_eventservice_crash": "Event log",
    "Discovery_PsLoggedOn_remotelocalusers_enum_winreg_lsarpc_dcerpc_smb": "PsLoggedOn",
    "Discovery_dcerp_srvsvc_NetShareEnum": "NetShareEnum",
    "Discovery_impacket_rpcdump": "rpcdump",
    "Exploit_DoS_cve-2020-1350_dns_sig_maxspl0it": "SIGRed",
    "LM_psexec_smb_dcerpc_epm_svcctl": "PsExec",
    "LM_rdp_sharprdp": "RDP",
    "LM_smbexec_smb_dcerpc_svcctl_epm": "smbexec",
    "cmds_over_dns_txt_queries_and_reponses": "DNS tunnel",
}

# Everyday traffic: small captures of protocol tests. Those that do hold an exploit, and which:
LARGEST = 400_000  # bytes
EXPLOITS = {
    "bug-5162": {9000412},  # Zerologon
    "dcerpc-dce-iface-many": {9000412},  # the same
    "zerologon": {9000412},
    "smb-dce_iface": {9000413},  # PrintNightmare
    "smb2-09-trunc-file-logging": {9000402},  # EternalBlue
}


@pytest.fixture(scope="module")
def everything():
    return load("*.rules")


@pytest.fixture(scope="module")
def patches():
    return load("virtual-patch-*.rules", sets=("stream.midstream=true",), checksums="none")


@pytest.mark.parametrize("name", TECHNIQUES)
def test_attack_capture_names_its_technique(everything, shared, name):
    [path] = (shared / "captures/attack").glob(f"{name}.pcap*")
    raised = {event.rule.msg for event in alerts_of(everything, PcapSource([str(path)]))}
    assert [msg for msg in raised if TECHNIQUES[name] in msg]


def test_everyday_captures_raise_no_patch(patches, shared):
    raised: dict[str, set[int]] = {}
    for path in sorted((shared / "suricata-verify/tests").rglob("*.pcap")):
        if path.stat().st_size <= LARGEST:
            for event in alerts_of(patches, PcapSource([str(path)])):
                raised.setdefault(path.parent.name, set()).add(event.rule.sid)
    assert raised == EXPLOITS
