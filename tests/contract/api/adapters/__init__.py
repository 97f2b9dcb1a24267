"""One adapter for each dialect; see `frame`."""

from tests.contract.api.adapters.frame import Adapter
from tests.contract.api.adapters.segmind import SegmindAdapter
from tests.contract.api.adapters.wavespeed import WaveSpeedAdapter

ADAPTERS: tuple[Adapter, ...] = (WaveSpeedAdapter(), SegmindAdapter())
