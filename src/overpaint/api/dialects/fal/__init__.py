"""fal's hosts: run, queue, REST and CDN, its JavaScript proxy and its webhooks. Its words live in this folder only."""
