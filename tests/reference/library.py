"""The classes of diffusers and transformers that the reference is made of, as Any.

Their own annotations promise tuples, dicts and mixins where modules come back, so a type checker can only be wrong
about them.
"""

from importlib import import_module
from typing import Any

_diffusers: Any = import_module("diffusers")
_transformers: Any = import_module("transformers")
_pil_processor: Any = import_module("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")

AutoencoderKLQwenImage21: Any = _diffusers.AutoencoderKLQwenImage21
FlowMatchEulerDiscreteScheduler: Any = _diffusers.FlowMatchEulerDiscreteScheduler
QwenImage21Pipeline: Any = _diffusers.QwenImage21Pipeline
QwenImage21Transformer2DModel: Any = _diffusers.QwenImage21Transformer2DModel
AutoTokenizer: Any = _transformers.AutoTokenizer
BatchFeature: Any = _transformers.BatchFeature
Qwen2Tokenizer: Any = _transformers.Qwen2Tokenizer
Qwen3VLConfig: Any = _transformers.Qwen3VLConfig
Qwen3VLForConditionalGeneration: Any = _transformers.Qwen3VLForConditionalGeneration
Qwen2VLImageProcessorPil: Any = _pil_processor.Qwen2VLImageProcessorPil
