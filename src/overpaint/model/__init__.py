"""Qwen-Image-2.x on torch: loading, conditioning, our packed forward, sampling, VAE.

Knows no queue, no HTTP, no files but the checkpoint's. Glossary of the short names used inside:

    txt, img    text tokens and image-latent tokens, `(tokens, channels)`
    temb        embedding of the time step, one row per sigma
    sigma       noise level in [0, 1]; 1 is pure noise, 0 the clean picture
    prefix      system, reference pictures and instruction: all tokens before the target
    target      the tokens of the picture being painted
    grid        `(height, width)` of an image block in latent tokens
    slot        one vision token of the encoder, standing for 2x2 latent tokens
"""
