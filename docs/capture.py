#!/usr/bin/env python3
"""Captures what the documents show: the consoles of docs/drills/*.md, and docs/questions.svg from one of them.

    docs/capture.py [DRILL ...]    types the commands of these pages, or of all, and puts what they print in place
    docs/capture.py --picture      draws the answers of the drill bad-deploy

Takes `throughline` from target/debug (cargo build -p throughline-explorer), or where THROUGHLINE says. Needs Python 3.10.
"""

import html
import os
import pathlib
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import fcntl

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.environ.get("THROUGHLINE", str(HERE.parent / "target/debug/throughline"))
CONSOLE = re.compile(r"```console\n(.*?)```", re.S)
WIDTH = 120

# === pages ===========================================================================================


def typed(page):
    """The commands of a page, without the name of the program."""
    console = CONSOLE.search(page).group(1)
    return re.findall(r"^\$ throughline (.*)$", console, re.M)


def capture(drill):
    path = HERE / "drills" / f"{drill}.md"
    page = path.read_text()
    with tempfile.TemporaryDirectory() as folder:
        printed = [f"$ throughline {command}\n{plain(command, folder)}" for command in typed(page)]
    console = "\n".join(printed)
    # In a function: what is printed has backslashes of its own.
    path.write_text(CONSOLE.sub(lambda _: f"```console\n{console}```", page, count=1))


def plain(command, folder):
    environment = {**os.environ, "COLUMNS": str(WIDTH)}
    run = [PROGRAM, *shlex.split(command)]
    done = subprocess.run(run, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"throughline {command}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


# === the picture =====================================================================================

ADVANCE, LINE, MARGIN = 7.8, 19, 18
LABEL = (
    "throughline impact tells what the failures of payment-worker break, for whom and since which build; "
    "throughline trace tells one of its transactions, its three attempts, and what differs from the last good one"
)
STYLE = (
    'text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d8dee9;'
    "white-space:pre}.b{font-weight:600;fill:#fff}.d{fill:#7f8ea3}.r{fill:#ff6b6b}.g{fill:#7bd88f}"
    ".y{fill:#e8b95b}.p{fill:#82aaff}"
)
CLASSES = {"1": "b", "2": "d", "31": "r", "32": "g", "33": "y"}


def picture():
    with tempfile.TemporaryDirectory() as folder:
        plain("demo --drill bad-deploy --store drill.db", folder)
        impact = coloured("impact payment-worker --store drill.db", folder)
        trace = coloured("trace bad-deploy-9 --store drill.db", folder)
    (HERE / "questions.svg").write_text(drawn([*impact, [], *one_run(trace)]))


def coloured(command, folder):
    """What a command prints on a terminal: lines of pieces, (text, class)."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
    run = subprocess.Popen([PROGRAM, *shlex.split(command)], cwd=folder, stdout=terminal, stdin=terminal)
    os.close(terminal)
    printed = b""
    try:
        while chunk := os.read(main, 65536):
            printed += chunk
    except OSError:
        pass  # So a terminal ends.
    if run.wait() != 0:
        sys.exit(f"throughline {command}: exit {run.returncode}\n{printed.decode()}")
    short = command.replace(" --store drill.db", "")
    lines = printed.decode().replace("\r\n", "\n").replace(" --store drill.db", "").rstrip("\n").split("\n")
    return [[(f"$ throughline {short}", "p")], *map(pieces, lines)]


def pieces(line):
    found, kind = [], None
    for text, code in re.findall(r"([^\x1b]*)(?:\x1b\[([\d;]*)m)?", line):
        if text:
            found.append((text, kind))
        if code:
            kind = CLASSES.get(code)
    return found


def one_run(lines):
    """Of the runs that failed the first: the others say the same."""
    marks = [at for at, line in enumerate(lines) if line and line[0][0].startswith("✗")]
    end = next(at for at, line in enumerate(lines) if line and line[0][0].startswith("against"))
    return [*lines[: marks[1] - 1], [("…", None)], [], *lines[end:]]


def drawn(lines):
    width = round(2 * MARGIN + WIDTH * ADVANCE)
    height = 24 + LINE * len(lines)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(LABEL)}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#10151d"/>',
    ]
    for row, line in enumerate(lines):
        column = 0
        for text, kind in line:
            # Each word is placed by itself: not every font is as wide as this one.
            for word in re.finditer(r"\S+(?: \S+)*", text):
                svg.append(placed(word.group(), column + word.start(), 31 + LINE * row, kind))
            column += len(text)
    return "\n".join([*svg, "</svg>", ""])


def placed(text, column, y, kind):
    look = f' class="{kind}"' if kind else ""
    x, length = MARGIN + column * ADVANCE, len(text) * ADVANCE
    return (
        f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"{look}>'
        f"{html.escape(text)}</text>"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--picture"]:
        picture()
    elif any(name.startswith("-") for name in sys.argv[1:]):
        sys.exit(__doc__)
    else:
        pages = sorted(path.stem for path in (HERE / "drills").glob("*.md") if path.stem != "README")
        for name in sys.argv[1:] or pages:
            print(name, file=sys.stderr)
            capture(name)
