"""Knows how the tests of triggers get settings, a storage account, and hypothesis without a clock."""

import hypothesis

# The machines are shared: how long an example takes says nothing.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
