"""OpenAI's Images API: generations, edits, variations, files, models, and what vLLM-Omni and SGLang added to it."""
