"""What holds for all tests: their order, and the settings that the command makes."""

import pytest

from segpipe import tensorflow_settings

tensorflow_settings.apply()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first: at the end no worker waits for another that has just begun a long one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
