"""LoRA files without their tensors: what is in one, whether it fits a checkpoint, which are at hand. Knows no torch."""
