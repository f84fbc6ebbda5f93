"""A local Hugging Face Hub with Jobs, for rehearsing without an account.

The unmodified clients talk to it when HF_ENDPOINT and HF_TOKEN name it. It is not the real service and
never calls it.

How a module of this package is made (the contract that `app.MODULES` relies on):

- `routes(hub) -> list[BaseRoute]` is the only required name. Optional: `SCHEMA: str`, executed when the
  database is opened (only `CREATE ... IF NOT EXISTS`); `start(hub)`, called in a worker thread once the
  server is bound (`hub.url` is set by then); `stop(hub)`, called when the server stops.
- Handlers are wrapped by `http.endpoint`: `def handler(hub, request, body) -> Response | JSON value`. They
  run in a worker thread; `body` is the parsed JSON body ({} when there is none). Handlers that stream a
  body are plain Starlette `async def handler(request)`; the Hub is at `request.app.state.hub`.
- Path parameters: `{name}` is one segment; `{revision:rev}` is one percent-encoded segment that may hold a
  slash once decoded; `{path:file}` is the rest of the path, decoded.
- Failures: `raise HubError(404, "message", "EntryNotFound")`; the shorthands are in `errors`.
- `hub.db.tx()` gives a connection inside one write transaction (serialised, BEGIN IMMEDIATE; not
  re-entrant); `hub.db.query(sql, args) -> list[sqlite3.Row]` and `hub.db.one(sql, args) -> Row | None`
  read.
- `auth.user(request) -> User | None`; `auth.require(request, namespace, write=True) -> User`.
- `repos.export(hub, repo_type, repo_id, revision, dest)`, `repos.open_file(hub, repo_type, repo_id,
  revision, path) -> BinaryIO`, `repos.list_files(hub, repo_type, repo_id, revision) -> list[FileEntry]`
  (`.path .size .oid .sha256 .lfs`), `buckets.export(hub, bucket_id, prefix, dest)`, `buckets.ingest(hub,
  bucket_id, prefix, src)`: for volumes of jobs, the viewer and the web pages. `repo_type` is "model",
  "dataset" or "space". None of these checks permissions: call `repos.readable(hub, request, repo_type,
  repo_id)` first when a request is behind the call.
- Heavy imports (pyarrow, duckdb, huggingface_hub, hf_xet) belong inside the function that needs them: the
  server answers within a second of its start.
"""
