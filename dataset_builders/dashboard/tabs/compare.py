"""Tab Compare."""

from dataset_builders.dashboard.page import Page


def show(page: Page) -> None:
    """Draw the tab."""
