"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import platformdirs

from appliance.config.load import LoadOptions
from appliance.daemon.assemble import Inputs


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Options that name the documents a command works on."""
    group = parser.add_argument_group("what to judge by")
    group.add_argument("--policy", metavar="PATH", action="append", default=[], help="policy file or folder")
    group.add_argument("--inventory", metavar="FILE", default="", help="VMs and their interfaces")
    group.add_argument(
        "--rules", metavar="PATH", action="append", default=[], help="rule file or folder; may be repeated"
    )
    group.add_argument("--cache-dir", metavar="DIR", default="", help="compiled rules are kept here")
    group.add_argument("--no-cache", action="store_true", help="compile rules anew, keep nothing")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Options that change settings."""
    group = parser.add_argument_group("settings")
    group.add_argument("--settings", metavar="FILE", default="", help="settings file")
    group.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="sets", help="one setting"
    )
    group.add_argument(
        "--suricata-config", metavar="FILE", default="", help="take over what a Suricata configuration says"
    )
    group.add_argument("--include", metavar="FILE", action="append", default=[], help="further configuration")
    group.add_argument("--data-dir", metavar="DIR", default="", help="where datasets with state are saved")
    group.add_argument(
        "-k", metavar="all|none|auto", dest="checksums", choices=("all", "none", "auto"), default="",
        help="which packets must have right checksums (auto: all, unless the capture shows offload)",
    )  # fmt: skip
    mode = group.add_mutually_exclusive_group()
    mode.add_argument("--mode", choices=("detect", "prevent"), default="", help="report only, or block")
    mode.add_argument("--simulate-ips", action="store_true", help="the same as --mode prevent")


def inputs_of(args: argparse.Namespace) -> Inputs:
    """Collect what the engine is assembled from."""
    options = LoadOptions(
        settings_file=args.settings,
        suricata_config=args.suricata_config,
        includes=tuple(args.include),
        sets=tuple(args.sets),
        simulate_ips=args.simulate_ips,
        mode=args.mode,
        checksums=args.checksums,
        data_dir=args.data_dir,
        dns_version=os.environ.get("SURICATA_EVE_DNS_VERSION", ""),
    )
    cache = "" if args.no_cache else args.cache_dir or platformdirs.user_cache_dir("eastwall")
    return Inputs(
        options,
        policies=tuple(Path(path) for path in args.policy),
        inventory=Path(args.inventory) if args.inventory else None,
        rules=tuple(Path(path) for path in args.rules),
        cache=Path(cache) if cache else None,
    )
