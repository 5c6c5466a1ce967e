"""Names of stream events, and what each one says: a closed table.

Names are those of Suricata's ``stream-event`` keyword (manual, chapter "Rules"), so rules mean the same.
``docs/stream-events.md`` is made from this table.
"""

from __future__ import annotations

from types import MappingProxyType

EVENTS: MappingProxyType[str, str] = MappingProxyType(
    {
        # handshake
        "3whs_ack_in_wrong_dir": "ACK of the server before the client finished the handshake (inline)",
        "3whs_ack_data_inject": "data of the server before the client finished the handshake (inline)",
        "3whs_async_wrong_seq": "one-sided session: the client goes on at a wrong sequence number",
        "3whs_right_seq_wrong_ack_evasion": "the last ACK of the handshake acknowledges something else",
        "3whs_synack_in_wrong_direction": "SYN/ACK of the client, to a server that sent no SYN",
        "3whs_synack_resend_with_different_ack": "SYN/ACK sent again, acknowledging something else",
        "3whs_synack_resend_with_diff_seq": "SYN/ACK sent again with another sequence number",
        "3whs_synack_toserver_on_syn_recv": "SYN/ACK of the client after the server's SYN/ACK",
        "3whs_synack_with_wrong_ack": "SYN/ACK that acknowledges no SYN of the client",
        "3whs_synack_flood": "more different SYN/ACKs than a session may have",
        "3whs_synack_tfo_data_ignored": "SYN/ACK of a fast open session leaves out the data of the SYN",
        "3whs_syn_flood": "more different SYNs than a session may have",
        "3whs_syn_resend_diff_seq_on_syn_recv": "SYN with another sequence number after the SYN/ACK",
        "3whs_syn_toclient_on_syn_recv": "SYN of the server after its SYN/ACK",
        "3whs_wrong_seq_wrong_ack": "packet that should end the handshake fits nowhere",
        "4whs_synack_with_wrong_ack": "both ends sent a SYN: the SYN/ACK acknowledges something else",
        "4whs_synack_with_wrong_syn": "both ends sent a SYN: the SYN/ACK has another sequence number",
        "4whs_wrong_seq": "both ends sent a SYN: the last ACK has a wrong sequence number",
        "4whs_invalid_ack": "both ends sent a SYN: the last ACK acknowledges something else",
        # established
        "est_syn_resend": "SYN of the client again in an established session",
        "est_syn_resend_diff_seq": "SYN of the client with another sequence number in an established session",
        "est_syn_toclient": "SYN of the server in an established session",
        "est_synack_resend": "SYN/ACK again although the server knows that the handshake ended",
        "est_synack_resend_with_different_ack": "SYN/ACK again, acknowledging something else",
        "est_synack_resend_with_diff_seq": "SYN/ACK again with another sequence number",
        "est_synack_toserver": "SYN/ACK of the client in an established session",
        "est_packet_out_of_window": "data beyond the window of the receiver",
        "est_pkt_before_last_ack": "packet before what is already acknowledged",
        "est_invalid_ack": "acknowledges what was not sent, or is far too old",
        # closing
        "fin_invalid_ack": "FIN with an impossible acknowledgement",
        "fin_but_no_session": "FIN of no known session",
        "fin_out_of_window": "FIN outside the receiver's window",
        "fin_syn": "FIN and SYN in one packet",
        "fin1_ack_wrong_seq": "after the server's FIN: packet out of window",
        "fin1_fin_wrong_seq": "after the server's FIN: FIN out of window",
        "fin1_invalid_ack": "after the server's FIN: impossible acknowledgement",
        "fin2_ack_wrong_seq": "server's FIN acknowledged: packet out of window",
        "fin2_fin_wrong_seq": "server's FIN acknowledged: FIN out of window",
        "fin2_invalid_ack": "server's FIN acknowledged: impossible acknowledgement",
        "closewait_ack_out_of_window": "after the client's FIN: packet out of window",
        "closewait_fin_out_of_window": "after the client's FIN: FIN out of window",
        "closewait_pkt_before_last_ack": "after the client's FIN: packet before what is acknowledged",
        "closewait_invalid_ack": "after the client's FIN: impossible acknowledgement",
        "closing_ack_wrong_seq": "both FINs crossed: packet out of window",
        "closing_invalid_ack": "both FINs crossed: impossible acknowledgement",
        "lastack_ack_wrong_seq": "waiting for the last ACK: packet out of window",
        "lastack_invalid_ack": "waiting for the last ACK: impossible acknowledgement",
        "timewait_ack_wrong_seq": "both sides closed: packet out of window",
        "timewait_invalid_ack": "both sides closed: impossible acknowledgement",
        "shutdown_syn_resend": "SYN again while the session is being closed",
        "rst_but_no_session": "RST of no known session",
        "rst_invalid_ack": "RST with an impossible acknowledgement",
        "suspected_rst_inject": "the sender of a RST goes on: the RST was not its own",
        # any state
        "pkt_invalid_timestamp": "timestamp older than the last one, or one that was not negotiated",
        "pkt_invalid_ack": "acknowledges what was not sent, or is far too old",
        "pkt_broken_ack": "acknowledgement number without the ACK flag",
        "pkt_bad_window_update": "the window shrinks in a packet that lies beyond both streams",
        "pkt_retransmission": "data sent again before it was acknowledged, while the session is being closed",
        "pkt_spurious_retransmission": "data sent again after it was acknowledged",
        # reassembly
        "reassembly_segment_before_base_seq": "data before the start of the stream",
        "reassembly_no_segment": "no room to hold a segment",
        "reassembly_seq_gap": "the receiver acknowledged data that was not seen",
        "reassembly_overlap_different_data": "data sent twice with different content",
        "reassembly_depth_reached": "the inspection depth is reached in one direction",
        "reassembly_urgent_oob_limit_reached": "more urgent bytes out of band than a stream may have",
        # known to rules; this engine has no such condition, since one worker owns a flow
        "wrong_thread": "never raised here: a flow belongs to one worker",
    }
)

_HEAD = """# Stream events

Made from `appliance/stream/events.py`; a test keeps both in step. Rules name an event as
`stream-event:NAME;`, anomaly records as `stream.NAME`. Names are those of Suricata.

| event | meaning |
| --- | --- |
"""


def document() -> str:
    """Give the text of ``docs/stream-events.md``."""
    rows = (f"| `{name}` | {text} |" for name, text in EVENTS.items())
    return _HEAD + "\n".join(rows) + "\n"
