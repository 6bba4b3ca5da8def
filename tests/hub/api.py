"""The `/api/` part of the protocol: user, repositories, refs, listings and commits."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .store import Commit, Entry, HubError, Repo, Store

LFS_SUFFIXES = (".parquet", ".safetensors", ".arrow", ".bin", ".npz", ".gz", ".zip", ".png")


def store_of(request: Request) -> Store:
    return request.app.state.store


def token_of(request: Request) -> str | None:
    return request.headers.get("authorization", "").removeprefix("Bearer ").strip() or None


def param(request: Request, name: str) -> str:
    # routes match percent-encoded paths, so that refs%2Fpr%2F1 is one segment
    return unquote(request.path_params[name])


def repo_of(request: Request, write: bool = False) -> Repo:
    repo_id = f"{param(request, 'namespace')}/{param(request, 'name')}"
    repo = store_of(request).readable(request.path_params["kind"], repo_id, token_of(request))
    if write:
        store_of(request).demand_write(repo_id, token_of(request))
    return repo


def page_url(request: Request, repo: Repo) -> str:
    prefix = "" if repo.kind == "models" else f"{repo.kind}/"
    return f"{request.base_url}{prefix}{repo.id}"


async def whoami(request: Request) -> Response:
    role = store_of(request).role(token_of(request))
    if role is None:
        raise HubError(401, "Invalid username or password.")
    user = {"type": "user", "id": "0", "name": "tester", "fullname": "Tester", "orgs": []}
    return JSONResponse(user | {"auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": role}}})


async def create_repo(request: Request) -> Response:
    body = await request.json()
    repo_id = f"{body.get('organization') or 'tester'}/{body['name']}"
    store, kind = store_of(request), body.get("type", "model") + "s"
    store.demand_write(repo_id, token_of(request))
    existing = store.repos.get((kind, repo_id))
    repo = existing or store.create(kind, repo_id, private=body.get("visibility") == "private")
    answer = {"url": page_url(request, repo), "id": repo_id, "name": repo_id}
    if existing:
        message = "You already created this repo"
        return JSONResponse(answer | {"error": message}, 409, {"X-Error-Message": message})
    return JSONResponse(answer)


async def delete_repo(request: Request) -> Response:
    body = await request.json()
    repo_id, kind = f"{body.get('organization') or 'tester'}/{body['name']}", body.get("type", "model") + "s"
    store_of(request).readable(kind, repo_id, token_of(request))
    store_of(request).demand_write(repo_id, token_of(request))
    del store_of(request).repos[kind, repo_id]
    return Response("OK")


async def repo_info(request: Request) -> Response:
    repo = repo_of(request)
    commit = repo.resolve(param(request, "revision") if "revision" in request.path_params else "main")
    namespace = repo.id.split("/")[0]
    facts = {"_id": "0", "id": repo.id, "author": namespace, "sha": commit.oid, "lastModified": commit.date}
    facts |= {
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
    }
    siblings = [{"rfilename": path, "size": e.size, "blobId": e.oid} for path, e in commit.tree.items()]
    return JSONResponse(facts | {"createdAt": commit.date, "siblings": siblings, "usedStorage": 0})


async def refs(request: Request) -> Response:
    repo = repo_of(request)

    def under(prefix: str) -> list[dict[str, str]]:
        matches = [(ref, oid) for ref, oid in repo.refs.items() if ref.startswith(prefix)]
        return [{"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": oid} for ref, oid in matches]

    return JSONResponse(
        {
            "branches": under("refs/heads/"),
            "tags": under("refs/tags/"),
            "converts": [],
            "pullRequests": under("refs/pr/"),
        }
    )


async def commits(request: Request) -> Response:
    repo = repo_of(request)
    history = repo.history(repo.resolve(param(request, "revision")))
    return JSONResponse(
        [{"id": c.oid, "title": c.title, "message": c.message, "date": c.date, "authors": []} for c in history]
    )


async def branch(request: Request) -> Response:
    repo, ref = repo_of(request, write=True), f"refs/heads/{param(request, 'branch')}"
    if request.method == "DELETE":
        return drop_ref(repo, ref)
    start = (await json_body(request)).get("startingPoint", "main")
    return add_ref(repo, ref, repo.resolve(start))


async def tag(request: Request) -> Response:
    repo = repo_of(request, write=True)
    if request.method == "DELETE":
        return drop_ref(repo, f"refs/tags/{param(request, 'revision')}")
    return add_ref(repo, f"refs/tags/{(await json_body(request))['tag']}", repo.resolve(param(request, "revision")))


async def json_body(request: Request) -> dict[str, Any]:
    return json.loads(await request.body() or b"{}")


def add_ref(repo: Repo, ref: str, commit: Commit) -> Response:
    if ref in repo.refs:
        raise HubError(409, f"Reference already exists: {ref}")
    repo.refs[ref] = commit.oid
    return JSONResponse({"ref": ref, "targetCommit": commit.oid})


def drop_ref(repo: Repo, ref: str) -> Response:
    if repo.refs.pop(ref, None) is None:
        raise HubError(404, f"Reference does not exist: {ref}", "RevisionNotFound")
    return Response("OK")


def describe(repo: Repo, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
    """Describe a file or folder of the commit as `tree` and `paths-info` list it."""
    entry = commit.tree.get(path)
    if entry is None:
        return {"type": "directory", "path": path, "oid": commit.oid, "size": 0}
    facts: dict[str, Any] = {"type": "file", "path": path, "size": entry.size, "oid": entry.oid}
    if entry.lfs:
        facts["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": 134}
    if expand:
        last = repo.last_change(commit, path)
        facts["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
    return facts


async def tree(request: Request) -> Response:
    repo = repo_of(request)
    commit, folder = (
        repo.resolve(param(request, "revision")),
        unquote(request.path_params.get("path", "")).strip("/"),
    )
    recursive, expand = (request.query_params.get(key, "").lower() in {"true", "1"} for key in ("recursive", "expand"))
    prefix = f"{folder}/" if folder else ""
    paths: dict[str, None] = {}  # every file and its parent folders, in order
    for path in commit.tree:
        if path.startswith(prefix):
            parts = path.removeprefix(prefix).split("/")
            depth = len(parts) if recursive else 1
            paths |= {prefix + "/".join(parts[: i + 1]): None for i in range(depth)}
    if folder and not paths:
        raise HubError(404, f"{folder} does not exist on {param(request, 'revision')}", "EntryNotFound")
    return JSONResponse([describe(repo, commit, path, expand) for path in paths])


async def paths_info(request: Request) -> Response:
    repo, form = repo_of(request), parse_qs((await request.body()).decode())
    commit, expand = repo.resolve(param(request, "revision")), form.get("expand", [""])[0].lower() == "true"
    paths = [path.strip("/") for path in form.get("paths", [])]
    existing = [p for p in paths if p in commit.tree or any(file.startswith(f"{p}/") for file in commit.tree)]
    return JSONResponse([describe(repo, commit, path, expand) for path in existing])


async def preupload(request: Request) -> Response:
    repo = repo_of(request)
    tree = repo.resolve(param(request, "revision")).tree
    answers = []
    for file in (await request.json())["files"]:
        binary = b"\0" in base64.b64decode(file.get("sample") or "") or file["size"] > 10_000_000
        mode = "lfs" if binary or file["path"].endswith(LFS_SUFFIXES) else "regular"
        answer = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
        if entry := tree.get(file["path"]):
            answer["oid"] = entry.sha256 if entry.lfs else entry.oid
        answers.append(answer)
    return JSONResponse({"files": answers})


async def commit(request: Request) -> Response:
    """Apply all operations or none: there is no await after the comparison of the parent."""
    as_pull_request = request.query_params.get("create_pr") in {"1", "true"}
    repo, body = repo_of(request, write=not as_pull_request), await request.body()
    if token_of(request) is None:
        raise HubError(401, "Invalid username or password.")
    lines = [json.loads(line) for line in body.splitlines() if line]
    header = next(line["value"] for line in lines if line["key"] == "header")
    revision, expected_parent = param(request, "revision"), header.get("parentCommit")
    ref, parent = repo.writable_ref(revision), repo.resolve(revision)
    if as_pull_request:
        number = 1 + sum(name.startswith("refs/pr/") for name in repo.refs)
        ref, parent = f"refs/pr/{number}", repo.resolve(expected_parent or revision)
    elif expected_parent and not parent.oid.startswith(expected_parent):
        raise HubError(412, "A commit has happened since. Please refresh and try again.")
    new = apply(repo, dict(parent.tree), lines)
    commit = repo.commit(ref, parent, new, header["summary"], header.get("description", ""))
    url = page_url(request, repo)
    answer = {
        "success": True,
        "commitOid": commit.oid,
        "commitUrl": f"{url}/commit/{commit.oid}",
        "hookOutput": "",
    }
    if as_pull_request:
        answer["pullRequestUrl"] = f"{url}/discussions/{number}"
    return JSONResponse(answer)


def apply(repo: Repo, files: dict[str, Entry], lines: list[dict[str, Any]]) -> dict[str, Entry]:
    for line in lines:
        key, value = line["key"], line["value"]
        if key == "file":
            files[value["path"]] = Entry.regular(repo.blobs, base64.b64decode(value["content"]))
        elif key == "lfsFile":
            files[value["path"]] = Entry.pointer(repo.blobs, value["oid"])
        elif key in {"deletedFile", "deletedFolder"}:
            path = value["path"].strip("/")
            matches = [p for p in files if p == path or (key == "deletedFolder" and p.startswith(f"{path}/"))]
            if not matches:
                raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
            for path in matches:
                del files[path]
    return files


async def validate_yaml(_: Request) -> Response:
    return JSONResponse({"errors": [], "warnings": []})


REPO = "/api/{kind}/{namespace}/{name}"
ROUTES = [
    Route("/api/whoami-v2", whoami),
    Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
    Route("/api/repos/create", create_repo, methods=["POST"]),
    Route("/api/repos/delete", delete_repo, methods=["DELETE"]),
    Route(REPO, repo_info),
    Route(REPO + "/revision/{revision}", repo_info),
    Route(REPO + "/refs", refs),
    Route(REPO + "/commits/{revision}", commits),
    Route(REPO + "/branch/{branch}", branch, methods=["POST", "DELETE"]),
    Route(REPO + "/tag/{revision}", tag, methods=["POST", "DELETE"]),
    Route(REPO + "/tree/{revision}", tree),
    Route(REPO + "/tree/{revision}/{path:path}", tree),
    Route(REPO + "/paths-info/{revision}", paths_info, methods=["POST"]),
    Route(REPO + "/preupload/{revision}", preupload, methods=["POST"]),
    Route(REPO + "/commit/{revision}", commit, methods=["POST"]),
]
