"""`overpaint edit`: a picture from words and pictures."""

from pathlib import Path

from overpaint.cli import options
from overpaint.cli.job import PaintJob
from overpaint.cli.loras import read_loras
from overpaint.cli.options import pick
from overpaint.cli.output import STANDARD, Target, format_of
from overpaint.core.picture import Picture
from overpaint.core.request import BACKGROUNDS, GenerationRequest, OutputSpec
from overpaint.core.sizes import parse_size
from overpaint.images.decode import read_picture
from overpaint.settings import read_model_config, read_settings

_STANDARD_INPUT = Path("/dev/stdin")


def edit(
    prompt: options.Prompt,
    image: options.Images,
    output: options.Output,
    mask: options.Mask = None,
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
    """Change a picture by instruction, or combine several.

    Examples:
      overpaint edit "replace the apple with a banana" -i apple.png -o banana.png

      overpaint edit "change the background to blue" -i cat.jpg -o blue.jpg --seed 7

      overpaint edit "a red hat" -i dog.png --mask above-the-head.png -o hat.png

      overpaint edit "put the hat of picture 2 on the dog" -i dog.png -i hat.png -o both.png

      overpaint edit "make it a sketch" -i cat.jpg -o sketch.png --lora pencil.safetensors:0.8

      curl -s URL | overpaint edit "make it snow" -i - -o - --format png > snow.png
    """
    model_config = read_model_config(options.of_model(model, device, dtype, memory, weights, transformer))
    spec = OutputSpec(format_of(output, output_format), quality, pick("background", background, BACKGROUNDS))
    request = GenerationRequest(
        prompt=prompt,
        pictures=tuple(_read(path, f"images[{index}]") for index, path in enumerate(image)),
        mask=_read(mask, "mask") if mask else None,
        size=None if size is None else parse_size(size),
        seed=seed,
        steps=steps,
        negative_prompt=negative_prompt,
        true_cfg_scale=true_cfg_scale,
        num_images=num_images,
        adapters=read_loras(lora or (), read_settings().adapters),
        output=spec,
    )
    PaintJob(request, Target(output, num_images), model_config, verbose).run()


def _read(path: Path, field: str) -> Picture:
    return read_picture(_STANDARD_INPUT if path == STANDARD else path, field)
