"""Checks on backends run beside the other tests, and are waited for by their own."""

from __future__ import annotations

import backends


def pytest_collection_finish(session):
    if session.config.option.collectonly:
        return
    modules = {item.module.__name__: item.module for item in session.items}
    backends.start(module.CHECK_ON_BACKENDS for module in modules.values() if hasattr(module, "CHECK_ON_BACKENDS"))


def pytest_sessionfinish():
    backends.stop()
