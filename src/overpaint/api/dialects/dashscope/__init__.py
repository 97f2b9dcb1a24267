"""DashScope (Alibaba Cloud Model Studio): generation, synthesis, tasks, uploads, and its OpenAI-like call."""
