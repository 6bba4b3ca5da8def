"""File contents: LFS uploads, and downloads with Range."""

from __future__ import annotations

import hashlib
import uuid

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from .api import param, repo_of, store_of
from .store import HubError


async def lfs_batch(request: Request) -> Response:
    repo_of(request)
    answers = []
    for blob in (await request.json())["objects"]:
        answer = {"oid": blob["oid"], "size": blob["size"]}
        if not store_of(request).blobs.path(blob["oid"]).exists():
            answer["actions"] = {"upload": {"href": f"{request.base_url}lfs-upload/{blob['oid']}", "header": {}}}
        answers.append(answer)
    return JSONResponse({"transfer": "basic", "objects": answers}, media_type="application/vnd.git-lfs+json")


async def lfs_upload(request: Request) -> Response:
    blobs, oid = store_of(request).blobs, request.path_params["oid"]
    partial, digest = blobs.path(f"{uuid.uuid4().hex}.partial"), hashlib.sha256()
    with partial.open("wb") as file:
        async for chunk in request.stream():
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != oid:
        partial.unlink()
        raise HubError(400, "content does not match its oid")
    partial.rename(blobs.path(oid))
    return Response()


async def resolve(request: Request) -> Response:
    repo, path = repo_of(request), param(request, "path")
    commit = repo.resolve(param(request, "revision"))
    entry = commit.tree.get(path)
    # a 404 has it too, since clients remember in which commit a file is missing
    headers = {"X-Repo-Commit": commit.oid}
    if entry is None:
        headers |= {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
        return Response("Entry not found", 404, headers)
    headers["ETag"] = f'"{entry.sha256 if entry.lfs else entry.oid}"'
    if entry.lfs:
        headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(entry.size)}
    return FileResponse(repo.blobs.path(entry.sha256), headers=headers)


def routes_of(kind: str) -> list[Route]:
    repo = "/{namespace}/{name}" if kind == "models" else f"/{kind}/{{namespace}}/{{name}}"

    def with_kind(handler):
        async def handle(request: Request) -> Response:
            request.path_params["kind"] = kind
            return await handler(request)

        return handle

    return [
        Route(repo + ".git/info/lfs/objects/batch", with_kind(lfs_batch), methods=["POST"]),
        Route(repo + "/resolve/{revision}/{path:path}", with_kind(resolve)),
    ]


ROUTES = [
    Route("/lfs-upload/{oid}", lfs_upload, methods=["PUT"]),
    # models last, since their URLs have no prefix
    *(route for kind in ("datasets", "spaces", "models") for route in routes_of(kind)),
]
