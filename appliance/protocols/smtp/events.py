"""Names of what is wrong with an SMTP session or with a message in it."""

from __future__ import annotations

EVENTS = frozenset(
    (
        "bdat_chunk_len_exceeded",
        "data_command_rejected",
        "duplicate_fields",
        "invalid_bdat",
        "invalid_pipelined_sequence",
        "invalid_reply",
        "max_command_line_len_exceeded",
        "max_reply_line_len_exceeded",
        "mime_invalid_base64",
        "mime_invalid_qp",
        "mime_long_boundary",
        "mime_long_enc_line",
        "mime_long_filename",
        "mime_long_header_name",
        "mime_long_header_value",
        "mime_long_line",
        "mime_malformed_msg",
        "mime_parse_failed",
        "no_server_welcome_message",
        "tls_rejected",
        "truncated_line",
        "unable_to_match_reply_with_request",
        "unparsable_content",
    )
)
