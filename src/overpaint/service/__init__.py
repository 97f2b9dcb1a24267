"""The server's use cases over the ports of `core`: what happens between a dialect's parsed request and its answer.

Async. Knows no HTTP, no vendor's words, no database, no device and no torch: everything it needs arrives by
constructor, wired in `compose`. `service.Service` is the one object the borders hold.
"""
