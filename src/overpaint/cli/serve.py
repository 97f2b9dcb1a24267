"""`overpaint serve`: the HTTP server, with its engine in a process of its own."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from overpaint.cli import options
from overpaint.cli.server_options import ConfigFile, Database, DataDir, server_settings
from overpaint.compose.imports import large_imports
from overpaint.settings import silence_libraries, stay_at_home


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 is every one.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Without it: 8000.")] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    database: Database = None,
    outputs: Annotated[str | None, typer.Option(help="Folder or s3://bucket/prefix for pictures.")] = None,
    public_url: Annotated[str | None, typer.Option(help="What clients reach this server by.")] = None,
    models_file: Annotated[Path | None, typer.Option(help="Catalogue of models, TOML.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    tls_self_signed: Annotated[
        bool | None, typer.Option("--tls-self-signed", help="Make a certificate for development.")
    ] = None,
    adapters: Annotated[Path | None, typer.Option(help="Folder of LoRA files that requests may name.")] = None,
    proxy_port: Annotated[
        int | None, typer.Option(help="Port of a proxy that leads vendors' host names here; needs TLS.")
    ] = None,
    sync_timeout_s: Annotated[float | None, typer.Option(help="Longest that a waiting call is held.")] = None,
    safety: Annotated[str | None, typer.Option(help="Of unsafe pictures: off, flag or block.")] = None,
    prompt_rules: Annotated[Path | None, typer.Option(help="Words that are not painted, and why; TOML.")] = None,
    page: Annotated[bool | None, typer.Option("--page/--no-page", help="Whether there is a web page at /.")] = None,
    open_page: Annotated[
        bool | None, typer.Option("--open-page", help="Visitors from this very machine need no key on the page.")
    ] = None,
    compile_: Annotated[
        bool | None, typer.Option("--compile", help="Compile parts of the model at start; for CUDA, see the docs.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="File for a timeline of the engine's last ticks.")] = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    memory: options.Memory = None,
    weights: options.Weights = None,
    transformer: options.Transformer = None,
) -> None:
    """Serve the page and the HTTP APIs until stopped; the first start makes a key and prints it once.

    Examples:
      overpaint serve

      overpaint serve --model Qwen/Qwen-Image-2.1 --host 0.0.0.0 --database postgresql://... --outputs s3://bucket/paint
    """
    given = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "database": database,
        "outputs": outputs,
        "public_url": public_url,
        "models_file": models_file,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls_self_signed": tls_self_signed,
        "adapters": adapters,
        "proxy_port": proxy_port,
        "sync_timeout_s": sync_timeout_s,
        "safety": safety,
        "prompt_rules": prompt_rules,
        "page": page,
        "open_page": open_page,
        "compile": compile_,
        "trace": trace,
    } | options.of_model(model, device, dtype, memory, weights, transformer)
    settings = server_settings(given, config)
    stay_at_home()
    silence_libraries(keep_bars=sys.stderr.isatty())  # gigabytes may be fetched first
    with large_imports():  # needed by no other command
        from overpaint.serving import run_server

    run_server(settings, typer.echo)
