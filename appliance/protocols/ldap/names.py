"""Operations and results of LDAP (RFC 4511) by number."""

from __future__ import annotations

BIND_REQUEST, BIND_RESPONSE, UNBIND_REQUEST = 0, 1, 2
SEARCH_REQUEST, SEARCH_RESULT_ENTRY, SEARCH_RESULT_DONE = 3, 4, 5
MODIFY_REQUEST, MODIFY_RESPONSE, ADD_REQUEST, ADD_RESPONSE, DEL_REQUEST, DEL_RESPONSE = 6, 7, 8, 9, 10, 11
MOD_DN_REQUEST, MOD_DN_RESPONSE, COMPARE_REQUEST, COMPARE_RESPONSE, ABANDON_REQUEST = 12, 13, 14, 15, 16
SEARCH_RESULT_REFERENCE, EXTENDED_REQUEST, EXTENDED_RESPONSE, INTERMEDIATE_RESPONSE = 19, 23, 24, 25

OPERATIONS = {
    BIND_REQUEST: "bind_request",
    BIND_RESPONSE: "bind_response",
    UNBIND_REQUEST: "unbind_request",
    SEARCH_REQUEST: "search_request",
    SEARCH_RESULT_ENTRY: "search_result_entry",
    SEARCH_RESULT_DONE: "search_result_done",
    MODIFY_REQUEST: "modify_request",
    MODIFY_RESPONSE: "modify_response",
    ADD_REQUEST: "add_request",
    ADD_RESPONSE: "add_response",
    DEL_REQUEST: "del_request",
    DEL_RESPONSE: "del_response",
    MOD_DN_REQUEST: "mod_dn_request",
    MOD_DN_RESPONSE: "mod_dn_response",
    COMPARE_REQUEST: "compare_request",
    COMPARE_RESPONSE: "compare_response",
    ABANDON_REQUEST: "abandon_request",
    SEARCH_RESULT_REFERENCE: "search_result_reference",
    EXTENDED_REQUEST: "extended_request",
    EXTENDED_RESPONSE: "extended_response",
    INTERMEDIATE_RESPONSE: "intermediate_response",
}

REQUESTS = frozenset(
    (
        BIND_REQUEST,
        UNBIND_REQUEST,
        SEARCH_REQUEST,
        MODIFY_REQUEST,
        ADD_REQUEST,
        DEL_REQUEST,
        MOD_DN_REQUEST,
        COMPARE_REQUEST,
        ABANDON_REQUEST,
        EXTENDED_REQUEST,
    )
)
UNANSWERED = frozenset((UNBIND_REQUEST, ABANDON_REQUEST))
# Responses after which more of the same request follow.
PARTIAL = frozenset((SEARCH_RESULT_ENTRY, SEARCH_RESULT_REFERENCE, INTERMEDIATE_RESPONSE))
# Operations whose content is not constructed.
PRIMITIVE = frozenset((UNBIND_REQUEST, DEL_REQUEST, ABANDON_REQUEST))

RESULTS = {
    0: "success",
    1: "operations_error",
    2: "protocol_error",
    3: "time_limit_exceeded",
    4: "size_limit_exceeded",
    5: "compare_false",
    6: "compare_true",
    7: "auth_method_not_supported",
    8: "stronger_auth_required",
    10: "referral",
    11: "admin_limit_exceeded",
    12: "unavailable_critical_extension",
    13: "confidentiality_required",
    14: "sasl_bind_in_progress",
    16: "no_such_attribute",
    17: "undefined_attribute_type",
    18: "inappropriate_matching",
    19: "constraint_violation",
    20: "attribute_or_value_exists",
    21: "invalid_attribute_syntax",
    32: "no_such_object",
    33: "alias_problem",
    34: "invalid_dns_syntax",
    36: "alias_dereferencing_problem",
    48: "inappropriate_authentication",
    49: "invalid_credentials",
    50: "insufficient_access_rights",
    51: "busy",
    52: "unavailable",
    53: "unwilling_to_perform",
    54: "loop_detect",
    64: "naming_violation",
    65: "object_class_violation",
    66: "not_allowed_on_non_leaf",
    67: "not_allowed_on_rdn",
    68: "entry_already_exists",
    69: "object_class_mods_prohibited",
    71: "affects_multiple_dsas",
    80: "other",
}

SCOPES = {0: "base_object", 1: "single_level", 2: "whole_subtree"}
ALIASES = {
    0: "never_deref_aliases",
    1: "deref_in_searching",
    2: "deref_finding_base_obj",
    3: "deref_always",
}
CHANGES = {0: "add", 1: "delete", 2: "replace"}
START_TLS = b"1.3.6.1.4.1.1466.20037"  # RFC 4511 section 4.14
