"""Files that rules and settings name, opened on behalf of the core."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path

import maxminddb

from appliance.config.errors import ConfigError, one_line
from appliance.config.settings import DetectSettings
from appliance.detect.resources import Resources

_MAX_TEXT = 256 << 20


def read_text(path: Path, limit: int = _MAX_TEXT) -> tuple[bytes | None, ConfigError | None]:
    """Read a file of at most ``limit`` bytes, or say why it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        return None, ConfigError(str(path), 0, 0, "", f"cannot be read: {error.strerror or error}")
    if len(data) > limit:
        return None, ConfigError(str(path), 0, 0, "", f"is larger than {limit} bytes")
    return data, None


def open_resources(settings: DetectSettings) -> tuple[Resources, list[ConfigError]]:
    """Give access to files named by rules (in the data folder, the rules' folder or here) and to GeoIP."""
    country, errors = _country(settings.geoip_database)
    folders = [Path(name) for name in (settings.data_dir, settings.rule_dir, ".") if name]

    def text(name: str) -> str | None:
        path = Path(name)
        for candidate in [path] if path.is_absolute() else [folder / path for folder in folders]:
            data, _ = read_text(candidate)
            if data is not None:
                return data.decode("utf-8", "surrogateescape")
        return None

    return Resources(text, country), errors


def _country(database: str) -> tuple[Callable[[bytes], str | None] | None, list[ConfigError]]:
    if not database:
        return None, []
    try:
        reader = maxminddb.open_database(database)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        return None, [ConfigError(database, 0, 0, "", f"not readable as a GeoIP database: {what}")]

    def look_up(address: bytes) -> str | None:
        found = reader.get(str(ipaddress.ip_address(address)))
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) else None

    return look_up, []
