"""WaveSpeed's API v3: ``/api/v3/{model}``, predictions, uploads, webhooks. Its words live in this folder only."""
