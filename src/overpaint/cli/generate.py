"""`overpaint generate`: a picture from words."""

from overpaint.cli import options
from overpaint.cli.edit import edit


def generate(
    prompt: options.Prompt,
    output: options.Output,
    size: options.SizeText = None,
    seed: options.Seed = -1,
    steps: options.Steps = None,
    negative_prompt: options.NegativePrompt = None,
    true_cfg_scale: options.CfgScale = 1.0,
    num_images: options.NumImages = 1,
    lora: options.Loras = None,
    output_format: options.Format = None,
    quality: options.Quality = 95,
    background: options.BackgroundName = "auto",
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    memory: options.Memory = None,
    weights: options.Weights = None,
    transformer: options.Transformer = None,
    verbose: options.Verbose = False,
) -> None:
    """Paint a picture from words.

    Examples:
      overpaint generate "a cat on a blue background" -o cat.png

      overpaint generate "a cat and a dog" -o pets.png --seed 7 --num-images 3

      overpaint generate "a red bicycle" -o bike.webp --size 16:9 --model Qwen/Qwen-Image-2.1
    """
    edit(
        prompt,
        [],
        output=output,
        size=size,
        seed=seed,
        steps=steps,
        negative_prompt=negative_prompt,
        true_cfg_scale=true_cfg_scale,
        num_images=num_images,
        lora=lora,
        output_format=output_format,
        quality=quality,
        background=background,
        model=model,
        device=device,
        dtype=dtype,
        memory=memory,
        weights=weights,
        transformer=transformer,
        verbose=verbose,
    )
