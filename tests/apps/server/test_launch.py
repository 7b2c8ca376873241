"""What the host decides: refused in three parts before anything loads, or kept to."""

import socket
import subprocess
import sys
import textwrap

import pytest

from medattn_app.server.launch import check, read_auth
from medattn_app.server.offline import stays_here
from medattn_app.service.context import Settings


@pytest.mark.parametrize(
    ("settings", "more", "said"),
    [
        (dict(language="de"), {}, "Unknown language 'de'"),
        (dict(lesson="nonsense"), {}, "no lesson 'nonsense'"),
        (dict(queue=0), {}, "queue=0"),
        (dict(max_upload="lots"), {}, "max_upload='lots'"),
        (dict(max_upload="900mb"), {}, "max_upload='900mb'"),
        (dict(own_models="/nowhere/at/all"), {}, "no such folder"),
        (dict(offline=True), dict(share=True), "--share or --offline"),
    ],
)
def test_an_impossible_setting_is_refused_in_three_parts(settings, more, said):
    with pytest.raises(ValueError, match="Expected .* Received") as error:
        check(Settings(**settings), **more)
    assert said in str(error.value)


def test_the_usual_settings_pass(tmp_path):
    check(Settings())
    check(
        Settings(
            language="pt",
            lesson="maps",
            max_upload="100mb",
            own_models=str(tmp_path),
            offline=True,
        )
    )


def test_who_may_come_in_is_read_from_a_pair_or_a_file(tmp_path):
    assert read_auth("class:a:b") == [("class", "a:b")]
    (tmp_path / "list").write_text("ana:1\n\nbruno:2\n")
    assert read_auth(str(tmp_path / "list")) == [("ana", "1"), ("bruno", "2")]
    for wrong in ("class", "class:", ":x", ""):
        with pytest.raises(ValueError, match="NAME:PASSWORD"):
            read_auth(wrong)


def test_a_password_is_not_repeated_in_a_message():
    with pytest.raises(ValueError) as error:
        read_auth("onlyasecret")
    assert "onlyasecret" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("localhost", True),
        (None, True),
        (b"localhost", True),
        ("huggingface.co", False),
        ("10.0.0.1", False),
        ("8.8.8.8", False),
        ("localhost.evil.example", False),
    ],
)
def test_only_this_machine_is_here(host, here):
    assert stays_here(host) is here


def test_offline_refuses_other_machines_and_serves_this_one():
    """In a process of its own, since the refusal lasts as long as the process."""
    code = """
    import socket, threading, urllib.request
    from http.server import HTTPServer, BaseHTTPRequestHandler
    from medattn_app.server.offline import refuse_other_machines
    refuse_other_machines()
    for ask in (
        lambda: socket.create_connection(("203.0.113.1", 80), 2),
        lambda: socket.getaddrinfo("huggingface.co", 443),
        lambda: socket.gethostbyname("api.gradio.app"),
        lambda: urllib.request.urlopen("http://203.0.113.1/", timeout=2),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.1", 9)),
    ):
        try:
            ask()
        except PermissionError as error:
            print("refused", error)
        except OSError as error:
            print("refused" if "offline" in str(error) else "asked", error)
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"here")
        def log_message(self, *rest): pass
    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    print(urllib.request.urlopen(address).read().decode())
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = out.stdout.splitlines()
    assert [line.split()[0] for line in lines] == 5 * ["refused"] + ["here"]


def test_a_taken_port_is_answered_with_another(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        out = subprocess.run(
            [sys.executable, "-m", "medattn", "app", "--port", str(port)]
            + ["--no-open-browser", "--offline"],
            capture_output=True,
            text=True,
        )
    assert out.returncode == 2
    assert f"The port {port} is taken" in out.stderr and "Traceback" not in out.stderr


def test_a_mistake_on_the_command_line_is_answered_before_anything_loads():
    out = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "medattn", "app", "--lang", "xx"],
        capture_output=True,
        text=True,
    )
    assert out.returncode == 2 and "Unknown language 'xx'" in out.stderr
    assert "keras.src" not in out.stderr and "gradio.blocks" not in out.stderr
