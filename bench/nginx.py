"""nginx as a reverse proxy with mTLS and no policy, in one process: what a proxy written in C costs on this machine."""

import os
import shutil
from pathlib import Path

_CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  keepalive_requests 10000000;
  upstream application {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 10000000; }}
  server {{
    listen unix:{listen} ssl;
    ssl_certificate {folder}/served.pem;
    ssl_certificate_key {folder}/served.key;
    ssl_client_certificate {folder}/ca.pem;
    ssl_verify_client on;
    ssl_verify_depth 2;
    location / {{
      proxy_pass http://application;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
    }}
  }}
}}
"""
#: It becomes nginx, so that whoever started it knows the process.
_BECOME = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


def find_nginx() -> str | None:
    """The binary, which many systems keep off the PATH of users."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def nginx_command(folder: Path, listen: Path, port: int) -> list[str]:
    """Arguments for Python: an nginx on the Unix socket `listen`, to the upstream at `port`; PEM files are in `folder`.

    Raises FileNotFoundError if there is none.
    """
    nginx = find_nginx()
    if nginx is None:
        raise FileNotFoundError("there is no nginx")
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, listen=listen, port=port), encoding="utf-8")
    return ["-c", _BECOME, nginx, "-p", str(folder), "-c", str(configuration)]
