"""Compressed bytes and tar archives."""

import io
import tarfile

import pyarrow as pa


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


def lz4(data):
    return pa.compress(data, codec="lz4", asbytes=True)


def tar(folder, name, members, mode="w"):
    """Write a tar archive and return its path; a `str` as content makes a link to that name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    path = folder / name
    path.write_bytes(zstd(buffer.getvalue()) if name.endswith(".zst") else buffer.getvalue())
    return path
