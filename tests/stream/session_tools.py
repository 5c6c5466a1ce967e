"""x"""

from __future__ import annotations

from appliance.model.tcp import TcpState

S = TcpState
