"""The ways in: queue messages, timers and HTTP requests, each adapted to what `rekey` understands."""
