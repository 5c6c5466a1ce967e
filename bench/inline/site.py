"""What the server VM serves."""

from __future__ import annotations

import sysconfig
from pathlib import Path

_TEXT = 360_000


def write_site(folder: Path) -> Path:
    """Write pages made of this machine's Python sources and a configuration of nginx; gives the latter."""
    root = folder / "www"
    root.mkdir()
    sources = b"".join(
        path.read_bytes() for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:80]
    )
    (root / "1k.html").write_bytes((b"<html><body>" + sources)[:1024])
    (root / "text.html").write_bytes((b"<html><body><pre>" + sources)[:_TEXT])
    config = folder / "nginx.conf"
    config.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; user root;
events {{ worker_connections 4096; }}
http {{ types {{ text/html html; }} access_log off; sendfile on; tcp_nodelay on;
  keepalive_requests 100000000; open_file_cache max=100;
  server {{ listen 80 backlog=4096; root {root}; }} }}
""")
    return config
