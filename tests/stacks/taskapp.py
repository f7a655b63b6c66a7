"""The task management stack, built and started by the command under test, and two ways to use it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from tests.support.cli import Stackwright

SOURCE = Path(__file__).parents[2] / "stacks" / "taskapp"
PASSWORD = "correct horse battery"


@dataclass
class Taskapp:
    """The stack's folder, copied, with free ports in its `.env`."""

    folder: Path
    command: Stackwright
    ports: dict[str, int]

    @classmethod
    def prepare(cls, folder: Path, command: Stackwright) -> Taskapp:
        ignored = shutil.ignore_patterns("node_modules", ".next", "__pycache__", ".env", ".pytest_cache")
        shutil.copytree(SOURCE, folder, ignore=ignored)
        subprocess.run([sys.executable, str(folder / "make-env")], check=True, stdout=subprocess.DEVNULL)
        ports = dict(zip(("POSTGRES_PORT", "BACKEND_PORT", "FRONTEND_PORT"), _free_ports(3), strict=True))
        settings = {
            **{name: str(port) for name, port in ports.items()},
            "NEXT_PUBLIC_API_URL": f"http://localhost:{ports['BACKEND_PORT']}/api",
            "CORS_ORIGINS": f"http://localhost:{ports['FRONTEND_PORT']}",
        }
        env = folder / ".env"
        kept = [line for line in env.read_text().splitlines() if line.split("=")[0] not in settings]
        env.write_text("\n".join([*kept, *(f"{key}={value}" for key, value in settings.items())]) + "\n")
        return cls(folder, command, ports)

    @property
    def page(self) -> str:
        return f"http://localhost:{self.ports['FRONTEND_PORT']}"

    @property
    def api(self) -> str:
        return f"http://localhost:{self.ports['BACKEND_PORT']}/api"

    def ok(self, *arguments: str, timeout: float = 120) -> str:
        return self.command.ok(*arguments, cwd=self.folder, timeout=timeout)

    def up(self, *arguments: str, timeout: float = 900) -> str:
        return self.ok("up", "-d", "--wait", *arguments, timeout=timeout)


def hand_over(source: Path, target: Path) -> None:
    """Give the stand-in images of the engine at one socket to the engine at another, but not what was built on them."""
    labelled = ("--filter", "label=dev.stackwright.standin", "--filter", "dangling=false")
    listed = (*labelled, "--format", "{{.Repository}}:{{.Tag}}")
    docker = ("docker", "-H", f"unix://{source}")
    shown = subprocess.run([*docker, "images", *listed], capture_output=True, text=True, check=True).stdout
    names = [name for name in shown.split() if not name.startswith("task-management-")]
    with subprocess.Popen([*docker, "save", *names], stdout=subprocess.PIPE) as saving:
        loading = ["docker", "-H", f"unix://{target}", "load", "-q"]
        subprocess.run(loading, stdin=saving.stdout, check=True, stdout=subprocess.DEVNULL)
    assert saving.returncode == 0


@dataclass
class Account:
    """A person at the API: signs up or logs in, then asks with the token."""

    api: str
    token: str = ""

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def sign_up(self, email: str) -> Account:
        status, answer = self.ask(
            "POST", "/auth/signup", {"name": "Ada", "email": email, "password": PASSWORD}
        )
        assert status == 201, answer
        return Account(self.api, answer["token"])

    def log_in(self, email: str, password: str = PASSWORD) -> tuple[int, Any]:
        return self.ask("POST", "/auth/login", {"email": email, "password": password})

    def titles(self, query: str = "") -> list[str]:
        status, answer = self.ask("GET", f"/tasks{query}")
        assert status == 200, answer
        return [task["title"] for task in answer["tasks"]]


class Browser:
    """A person at a headless Chromium: finds things by what the page promises (ids and roles)."""

    def __init__(self, driver: webdriver.Chrome, shots: Path | None = None) -> None:
        self.driver = driver
        self.shots = shots

    def find(self, selector: str, timeout: float = 15) -> WebElement:
        return WebDriverWait(self.driver, timeout).until(
            lambda driver: next(
                (e for e in driver.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed()), False
            ),
            f"nothing on {self.driver.current_url} matches {selector}",
        )

    def until(self, condition: Any, what: str, timeout: float = 15) -> None:
        WebDriverWait(self.driver, timeout).until(lambda _: condition(), what)

    def fill(self, **values: str) -> None:
        for field_id, value in values.items():
            element = self.find(f"#{field_id}")
            element.clear()
            element.send_keys(value)

    def click(self, selector: str) -> None:
        """Press what is there, also if the page draws itself anew in the same moment."""

        def press(_: webdriver.Chrome) -> bool:
            self.find(selector).click()
            return True

        WebDriverWait(self.driver, 15, ignored_exceptions=[StaleElementReferenceException]).until(press)

    def tasks(self, status: str) -> list[str]:
        """The titles in one column, read in one go: the page may draw itself anew at any moment."""
        return list(
            self.driver.execute_script(
                "return Array.from(document.querySelectorAll(arguments[0]), e => e.textContent)",
                f'[data-status="{status}"] .task-title',
            )
        )

    def task(self, title: str, action: str) -> None:
        """Press a button of one task, by the name that a screen reader says: `Complete Buy milk`."""
        self.click(f'[data-testid=task] [aria-label="{action} {title}"]')


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium with an empty profile; skips the test where it is not installed."""
    chromium, driver_program = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver_program is None:
        pytest.skip("needs Debian's packages chromium and chromium-driver")
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in (
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--window-size=1280,860", f"--user-data-dir={profile}",
        ):  # fmt: skip
            options.add_argument(argument)
        driver = webdriver.Chrome(options=options, service=Service(driver_program))
        try:
            yield Browser(driver)
        finally:
            driver.quit()


def get_json(url: str) -> tuple[int, Any]:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, json.load(answer)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
