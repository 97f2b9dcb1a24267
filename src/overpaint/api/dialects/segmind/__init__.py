"""Segmind's API: ``/v1/{slug}`` answers with the picture, ``/v2/{slug}`` with a request. Its words live here only."""
