"""Runs all of Rekey on one machine: a Functions host, a simulated Azure, Azurite. Never deployed."""
