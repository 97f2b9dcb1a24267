"""The dialects this server speaks besides its own API, one row each. A new one is a new folder and a row here."""

from overpaint.api.dialect import Dialect
from overpaint.api.dialects.atlas.routes import ATLAS
from overpaint.api.dialects.dashscope.routes import DASHSCOPE
from overpaint.api.dialects.fal.routes import FAL
from overpaint.api.dialects.openai.routes import OPENAI
from overpaint.api.dialects.pixazo.routes import PIXAZO
from overpaint.api.dialects.replicate.routes import REPLICATE
from overpaint.api.dialects.segmind.routes import SEGMIND
from overpaint.api.dialects.wavespeed.routes import WAVESPEED

DIALECTS: tuple[Dialect, ...] = (WAVESPEED, FAL, SEGMIND, DASHSCOPE, PIXAZO, OPENAI, REPLICATE, ATLAS)
