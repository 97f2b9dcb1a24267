"""The names of uploads: what a client calls ``oss://<folder>/<file name>`` is stored in that folder by a plain name."""

import hashlib

SCHEME = "oss://"
_NAME_CHARS = 32


def stored_key(name: str) -> str:
    """The key of the stored file.

    Args:
        name: with or without ``oss://``; the folder is one that the server gave, the file name is the client's own.
    """
    folder, _, file_name = name.removeprefix(SCHEME).rpartition("/")
    return f"{folder}/{hashlib.sha256(file_name.encode('utf-8', 'replace')).hexdigest()[:_NAME_CHARS]}"
