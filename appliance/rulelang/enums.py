"""Words that stand for numbers in rules, by keyword. Keys are lower case with underscores.

Sources: the protocols' RFCs and IANA registries (DNS: RFC 6895, MQTT 5.0 section 2.1.2, RFC 9113
sections 6 and 7, RFC 3416, RFC 4511, RFC 6455, RFC 5905, RFC 4120, IEEE 1815, ODVA).
"""

from __future__ import annotations

from types import MappingProxyType

Names = MappingProxyType[str, int]


def _numbered(text: str, start: int = 0) -> Names:
    """Number words from ``start`` on."""
    return MappingProxyType({word: number for number, word in enumerate(text.split(), start)})


def _paired(text: str) -> Names:
    """Read ``word=number`` pairs."""
    pairs = (pair.split("=") for pair in text.split())
    return MappingProxyType({word: int(number, 0) for word, number in pairs})


DNS_TYPES = _paired(
    "a=1 ns=2 md=3 mf=4 cname=5 soa=6 mb=7 mg=8 mr=9 null=10 wks=11 ptr=12 hinfo=13 minfo=14"
    " mx=15 txt=16 rp=17"
    " afsdb=18 x25=19 isdn=20 rt=21 nsap=22 nsapptr=23 sig=24 key=25 px=26 gpos=27 aaaa=28"
    " loc=29 nxt=30 eid=31"
    " nimloc=32 srv=33 atma=34 naptr=35 kx=36 cert=37 a6=38 dname=39 sink=40 opt=41 apl=42 ds=43 sshfp=44"
    " ipseckey=45 rrsig=46 nsec=47 dnskey=48 dhcid=49 nsec3=50 nsec3param=51 tlsa=52 smimea=53"
    " hip=55 ninfo=56"
    " rkey=57 talink=58 cds=59 cdnskey=60 openpgpkey=61 csync=62 zonemd=63 svcb=64 https=65"
    " spf=99 uinfo=100"
    " uid=101 gid=102 unspec=103 nid=104 l32=105 l64=106 lp=107 eui48=108 eui64=109 tkey=249"
    " tsig=250 ixfr=251"
    " axfr=252 mailb=253 maila=254 any=255 uri=256 caa=257 avc=258 doa=259 amtrelay=260 ta=32768 dlv=32769"
)
DNS_RCODES = _paired(
    "noerror=0 formerr=1 servfail=2 nxdomain=3 notimp=4 refused=5 yxdomain=6 yxrrset=7 nxrrset=8 notauth=9"
    " notzone=10 badvers=16 badsig=16 badkey=17 badtime=18 badmode=19 badname=20 badalg=21 badtrunc=22"
)
DNS_OPCODES = _paired("query=0 iquery=1 status=2 notify=4 update=5 dso=6")
MQTT_TYPES = _numbered(
    "unassigned connect connack publish puback pubrec pubrel pubcomp subscribe suback unsubscribe unsuback"
    " pingreq pingresp disconnect auth"
)
MQTT_FLAGS = _paired("dup=1 retain=2")
MQTT_CONNECT_FLAGS = _paired("username=0x80 password=0x40 will_retain=0x20 will=0x04 clean_session=0x02")
HTTP2_FRAMES = _numbered(
    "data headers priority rststream settings pushpromise ping goaway windowupdate continuation"
)
HTTP2_ERRORS = _paired(
    "no_error=0 protocol_error=1 internal_error=2 flow_control_error=3 settings_timeout=4 stream_closed=5"
    " frame_size_error=6 refused_stream=7 cancel=8 compression_error=9 connect_error=10"
    " enhance_your_calm=11"
    " inadequate_security=12 http_1_1_required=13 http11_required=13"
)
SNMP_PDUS = _paired(
    "get_request=0 get_next_request=1 response=2 get_response=2 set_request=3 trap_v1=4 trapv1=4"
    " get_bulk_request=5 inform_request=6 trap_v2=7 trapv2=7 report=8"
)
LDAP_OPERATIONS = _paired(
    "bind_request=0 bind_response=1 unbind_request=2 search_request=3 search_result_entry=4"
    " search_result_done=5"
    " modify_request=6 modify_response=7 add_request=8 add_response=9 del_request=10 del_response=11"
    " mod_dn_request=12 mod_dn_response=13 compare_request=14 compare_response=15 abandon_request=16"
    " search_result_reference=19 extended_request=23 extended_response=24 intermediate_response=25"
)
LDAP_RESULTS = _paired(
    "success=0 operations_error=1 protocol_error=2 time_limit_exceeded=3 size_limit_exceeded=4"
    " compare_false=5"
    " compare_true=6 auth_method_not_supported=7 stronger_auth_required=8 referral=10"
    " admin_limit_exceeded=11"
    " unavailable_critical_extension=12 confidentiality_required=13 sasl_bind_in_progress=14"
    " no_such_attribute=16"
    " undefined_attribute_type=17 inappropriate_matching=18 constraint_violation=19"
    " attribute_or_value_exists=20"
    " invalid_attribute_syntax=21 no_such_object=32 alias_problem=33 invalid_dns_syntax=34"
    " alias_dereferencing_problem=36 inappropriate_authentication=48 invalid_credentials=49"
    " insufficient_access_rights=50 busy=51 unavailable=52 unwilling_to_perform=53 loop_detect=54"
    " naming_violation=64 object_class_violation=65 not_allowed_on_non_leaf=66 not_allowed_on_rdn=67"
    " entry_already_exists=68 object_class_mods_prohibited=69 affects_multiple_dsas=71 other=80"
)
WEBSOCKET_OPCODES = _paired("continuation=0 text=1 binary=2 connection_close=8 ping=9 pong=10")
WEBSOCKET_FLAGS = _paired("fin=0x80 comp=0x40 rsv1=0x40 rsv2=0x20 rsv3=0x10")
NTP_MODES = _numbered("reserved symmetric_active symmetric_passive client server broadcast control private")
KRB5_ENCTYPES = _paired(
    "des_cbc_crc=1 des_cbc_md4=2 des_cbc_md5=3 des_cbc_raw=4 des3_cbc_md5=5 des3_cbc_raw=6 des3_cbc_sha1=7"
    " des_hmac_sha1=8 dsawithsha1_cmsoid=9 md5withrsaencryption_cmsoid=10 sha1withrsaencryption_cmsoid=11"
    " rc2cbc_envoid=12 rsaencryption_envoid=13 rsaes_oaep_env_oid=14 des_ede3_cbc_env_oid=15"
    " des3_cbc_sha1_kd=16 aes128_cts_hmac_sha1_96=17 aes256_cts_hmac_sha1_96=18"
    " aes128_cts_hmac_sha256_128=19 aes256_cts_hmac_sha384_192=20 rc4_hmac=23 rc4_hmac_exp=24"
    " camellia128_cts_cmac=25 camellia256_cts_cmac=26"
)
DNP3_FUNCTIONS = _paired(
    "confirm=0 read=1 write=2 select=3 operate=4 direct_operate=5 direct_operate_nr=6 immed_freeze=7"
    " immed_freeze_nr=8 freeze_clear=9 freeze_clear_nr=10 freeze_at_time=11"
    " freeze_at_time_nr=12 cold_restart=13"
    " warm_restart=14 initialize_data=15 initialize_appl=16 start_appl=17 stop_appl=18 save_config=19"
    " enable_unsolicited=20 disable_unsolicited=21 assign_class=22 delay_measure=23 record_current_time=24"
    " open_file=25 close_file=26 delete_file=27 get_file_info=28 authenticate_file=29 abort_file=30"
    " activate_config=31 authenticate_req=32 authenticate_err=33 response=129 unsolicited_response=130"
    " authenticate_resp=131"
)
DNP3_INDICATIONS = _paired(
    "all_stations=0x0100 class_1_events=0x0200 class_2_events=0x0400 class_3_events=0x0800 need_time=0x1000"
    " local_control=0x2000 device_trouble=0x4000 device_restart=0x8000 no_func_code_support=0x0001"
    " object_unknown=0x0002 parameter_error=0x0004 event_buffer_overflow=0x0008 already_executing=0x0010"
    " config_corrupt=0x0020 reserved_2=0x0040 reserved_1=0x0080"
)
ENIP_COMMANDS = _paired(
    "nop=0 list_services=4 list_identity=0x63 list_interfaces=0x64 register_session=0x65"
    " unregister_session=0x66"
    " send_rrdata=0x6f send_unit_data=0x70 indicate_status=0x72 cancel=0x73"
)
ENIP_STATUSES = _paired(
    "success=0 invalid_cmd=1 no_resources=2 incorrect_data=3 invalid_session=0x64 invalid_length=0x65"
    " unsupported_prot_rev=0x69 encap_header_error=0x6a"
)
NFS_PROCEDURES = _numbered(
    "null getattr setattr lookup access readlink read write create mkdir symlink mknod remove"
    " rmdir rename link"
    " readdir readdirplus fsstat fsinfo pathconf commit"
)
RFB_RESULTS = _numbered("ok fail toomany")
