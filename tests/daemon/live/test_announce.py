"""What switches are told of an interface that has moved here."""

from __future__ import annotations

from appliance.config.settings import DecodeSettings
from appliance.daemon.live.announce import announce, announcement
from appliance.decode.decoder import Decoder

MAC = bytes.fromhex("020000000001")


def test_a_frame_that_names_only_the_mac():
    frame = announcement(MAC)
    packet = Decoder(DecodeSettings()).decode(frame, 1, 0, 1, len(frame))
    assert (packet.ethertype, packet.eth_src, packet.eth_dst) == (0x8035, MAC, b"\xff" * 6)
    assert frame[14:42] == bytes.fromhex("0001080006040003") + (MAC + bytes(4)) * 2
    assert len(frame) == 60


def test_a_device_that_is_not_there_does_no_harm():
    assert announce(MAC, ["ew-not-there", "ew-neither"]) == 0
