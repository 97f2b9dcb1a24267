"""AtlasCloud's image API: ``generateImage``, ``prediction``, ``uploadMedia``. Its words live in this folder only."""
