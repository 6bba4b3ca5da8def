"""The command `dashboard`."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from dataset_builders.common.errors import DataError
from dataset_builders.common.own_names import is_public, own_names
from dataset_builders.dashboard.guard import OwnNames, new_token

_APP = Path(__file__).with_name("app.py")


def dashboard(
    database: Annotated[Path, typer.Option(help="DuckDB file made by `database`; built from --data if missing.")],
    data: Annotated[
        str | None, typer.Option(help="Dataset folder or Hub repository from which to update the database.")
    ] = None,
    core: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a trained core; may be repeated. Default: `core` beside the database."),
    ] = None,
    leaderboard: Annotated[
        list[Path] | None,
        typer.Option(
            help="JSON file of `leaderboard`; may be repeated. Default: `evaluation/leaderboard.json` beside the "
            "database."
        ),
    ] = None,
    flow: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of `flow`; may be repeated. Default: `flow` beside the database."),
    ] = None,
    assistant: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of an assistant; may be repeated. Default: `assistant` beside the database."),
    ] = None,
    teacher: Annotated[
        str, typer.Option(help="Encoder to find similar utterances: short name, folder or Hub id.")
    ] = "minilm",
    vectors: Annotated[
        Path | None,
        typer.Option(
            help="Folder of `embed` with the vectors of the texts, for the search by meaning. Default: `vectors` "
            "beside the database."
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            help="Another build to compare with: a database, or a dataset folder or Hub repository, whose database is "
            "made beside this one."
        ),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="Encoder to compare with the teacher and the cores; may be repeated."),
    ] = None,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Let visitors mark rows; without it, the page is read-only.")
    ] = False,
    decisions: Annotated[
        Path | None,
        typer.Option(
            help="File of the marks, for `build --decisions`. Default: `decisions.jsonl` beside the database."
        ),
    ] = None,
    language: Annotated[Literal["en", "ru"], typer.Option(help="Language of the page; it has a switch, too.")] = "en",
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 makes the page visible to the whole network.")
    ] = "localhost",
    name: Annotated[
        list[str] | None,
        typer.Option(help="Further name under which visitors open the page, such as that of a proxy; may be repeated."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Show the corpus in a browser: figures, charts, quality, single dialogues, trained cores, licences."""
    import socket

    from dataset_builders.dashboard.settings import Settings

    missing = [name for name in ("streamlit", "plotly", "wordcloud") if find_spec(name) is None]
    if missing:
        raise DataError(f"the dashboard needs {', '.join(missing)}; run: pip install 'dialogue-cube[dashboard]'")
    cores = core if core is not None else [path for path in [database.parent / "core"] if path.is_dir()]
    default = database.parent / "evaluation" / "leaderboard.json"
    boards = leaderboard if leaderboard is not None else [path for path in [default] if path.is_file()]
    flows = flow if flow is not None else [path for path in [database.parent / "flow"] if path.is_dir()]
    default = database.parent / "assistant"
    assistants = assistant if assistant is not None else [path for path in [default] if path.is_dir()]
    for path in (*cores, *boards, *flows, *assistants):
        if not path.exists():
            raise DataError(
                f"{path} does not exist; name the folder of a core, flow or assistant, or the JSON of a leaderboard"
            )
    vectors = vectors or next(filter(Path.is_dir, [database.parent / "vectors"]), None)
    if decisions is not None and not annotate:
        raise DataError("--decisions names the file to which --annotate writes: pass both")
    marks = _marks(database, decisions) if annotate else None
    _check(database, data)
    compared = _compared(database, compare) if compare else None
    token = new_token() if is_public(host) else ""
    settings = Settings(
        str(database.resolve()),
        cores=tuple(map(str, cores)),
        leaderboards=tuple(map(str, boards)),
        flows=tuple(map(str, flows)),
        assistants=tuple(map(str, assistants)),
        teacher=teacher,
        language=language,
        token=token,
        vectors=str(_vectors(vectors)) if vectors else "",
        decisions=str(marks or ""),
        compared=str(compared or ""),
        encoders=tuple(encoder or ()),
    )
    settings.publish()
    if is_public(host):
        typer.echo(f"warning: everybody who can reach {host}:{port} can read the whole corpus", err=True)
    if token:
        place = socket.gethostname() if host in ("0.0.0.0", "::") else host
        typer.echo(
            f"Asking cores and assistants, SQL and marking rows need this link: http://{place}:{port}/?token={token}",
            err=True,
        )
    _serve(host, port, browser, own_names(host, name or ()), f"/?token={token}" if token else "")


def _marks(database: Path, file: Path | None) -> Path:
    """The file for the decisions of visitors.

    Raises:
        DataError: It exists and is no file of decisions.
    """
    from dataset_builders.common.decisions import read_decisions

    file = (file or database.parent / "decisions.jsonl").resolve()
    if file.exists():
        read_decisions(file)
    return file


def _compared(database: Path, other: str) -> Path:
    """The database of another build, made if a dataset is named.

    Raises:
        DataError: It is neither a database nor a dataset, or it is this database itself.
    """
    path = Path(other)
    if path.resolve() == database.resolve():
        raise DataError(f"--compare {other}: is the same database; name the one of another build")
    if path.is_file():
        _check(path, None)
        return path.resolve()
    made = database.with_name(f"{database.stem}.compared.duckdb")
    _check(made, other)
    return made.resolve()


def _vectors(folder: Path) -> Path:
    """The folder of vectors.

    Raises:
        DataError: `dialogue-cube embed` has not written it, or it is damaged.
    """
    from dataset_builders.dashboard.search.by_meaning import Vectors

    Vectors.check(folder)
    return folder.resolve()


def _check(database: Path, data: str | None) -> None:
    """Build or update the database, and check that it can be opened.

    Raises:
        DataError: The file is not made by `dialogue-cube database`, or is missing and `data` is None.
    """
    from dataset_builders.common.progress import step_bar
    from dataset_builders.database import build_database, open_database

    if data is not None:
        with step_bar() as progress:
            build_database(data, database, progress=progress)
    elif not database.exists():
        raise DataError(f"no database {database}; name the dataset to build it from: --data DIR")
    with open_database(database):
        pass


def _serve(host: str, port: int, browser: bool, names: Collection[str], place: str) -> None:
    """Run Streamlit in this process until the user stops it; the browser opens `place`."""
    import socket
    import threading
    import webbrowser

    import streamlit as st
    import uvicorn
    from streamlit.logger import get_logger
    from streamlit.web import bootstrap

    # the tabs are imported before the first visit, so the warning that no page runs yet means nothing
    get_logger("streamlit.runtime.caching.cache_data_api").setLevel("ERROR")
    import streamlit.emojis  # takes a quarter of a second

    import dataset_builders.dashboard.tabs.all  # noqa: F401
    from dataset_builders.dashboard.charts import BLUE, PALETTE, SKY

    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        except OSError as error:
            raise DataError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port") from error
    options = {
        "server_address": host,
        "server_port": port,
        "server_headless": True,  # otherwise Streamlit asks questions; the browser is opened below
        "server_fileWatcherType": "none",
        "server_showEmailPrompt": False,
        "browser_gatherUsageStats": False,
        "runner_magicEnabled": False,
        "client_toolbarMode": "viewer",
        "client_showErrorDetails": "none",
        # a theme of each kind, so that the page follows the system; a single one would always be light
        "theme_light_primaryColor": BLUE,
        "theme_dark_primaryColor": SKY,
        "theme_light_chartCategoricalColors": PALETTE,
        "theme_dark_chartCategoricalColors": PALETTE,
    }
    bootstrap.load_config_options(options)
    if browser:
        opening = threading.Timer(1, webbrowser.open, [f"http://{host}:{port}{place}"])
        opening.daemon = True
        opening.start()
    # not `streamlit run`, whose socket takes 40 ms for each of a hundred small files (Nagle's algorithm)
    typer.echo(f"The dashboard is at http://{host}:{port} (stop it with Ctrl-C)")
    app = OwnNames(st.App(_APP), names)
    uvicorn.run(app, host=host, port=port, access_log=False, log_level="warning", timeout_graceful_shutdown=1)
