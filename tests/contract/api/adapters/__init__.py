"""One adapter for each dialect; see `frame`."""

from tests.contract.api.adapters.atlas import AtlasAdapter
from tests.contract.api.adapters.dashscope import DashScopeAdapter
from tests.contract.api.adapters.fal import FalAdapter
from tests.contract.api.adapters.frame import Adapter
from tests.contract.api.adapters.openai import OpenAIAdapter
from tests.contract.api.adapters.pixazo import PixazoAdapter
from tests.contract.api.adapters.replicate import ReplicateAdapter
from tests.contract.api.adapters.segmind import SegmindAdapter
from tests.contract.api.adapters.wavespeed import WaveSpeedAdapter

ADAPTERS: tuple[Adapter, ...] = (
    WaveSpeedAdapter(),
    FalAdapter(),
    SegmindAdapter(),
    DashScopeAdapter(),
    PixazoAdapter(),
    OpenAIAdapter(),
    ReplicateAdapter(),
    AtlasAdapter(),
)
