"""The one error of settings that can't be used, wherever they come from."""


class SettingsError(Exception):
    """A setting that can't be used; the message says which, and what was expected."""
