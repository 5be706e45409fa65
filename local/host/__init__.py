"""The Azure Functions host for one machine: `python -m local.host start --port N` in a function app's folder.

It behaves as `func start --port N` does: it reads host.json and local.settings.json (the real environment wins over
both, unless a variable is empty), loads `function_app.py` in processes of its own (FUNCTIONS_WORKER_PROCESS_COUNT, 1),
serves HTTP triggers, the durable HTTP management API and /admin, polls queue triggers, fires timers by their NCRONTAB,
and drives orchestrations. A process that dies, or whose function takes longer than host.json's functionTimeout, is
started again. AzureWebJobs.<name>.Disabled keeps a function from being triggered. SIGTERM or SIGINT ends all of it.

What outlives the host is in the folder `LOCAL_HOST_DATA` (default: `.durable` in the app's folder): the engine's state,
and the last occurrence of each timer, so that one that was missed is made up for. What the engine acknowledged is in
one SQLite file for each task hub and storage account, so that the host may be killed at any moment: started again, it
delivers what was under way again (an activity may so run twice, as in Azure). One host at a time may have that file.
Entities alone are kept in memory only; the log says so when one is used.

What it doesn't imitate: function keys (HTTP functions of level function or admin are answered without a key, the
management API and /admin too), scale-out, output bindings other than the HTTP response, the HTTP API of durable
entities, time zones (timers go by UTC), log levels of single functions, and, of host.json, what isn't named in
`settings.py`. A queue that a trigger names is created if it is missing; Azure doesn't do that.

For tests, `GET /admin/local/durable-store` returns everything the engine stores, and these switches, all off by
default, make it misbehave as distributed systems do:

- `LOCAL_HOST_LEASE_SECONDS`: after how long an unfinished work item is delivered again (default 300).
- `LOCAL_HOST_LONGEST_TIMER`: after how many seconds a durable timer fires even if its time is later; it then is as if
  the time between had been waited for, which the engine's clock doesn't claim. For services that lag behind nothing.
- `LOCAL_HOST_KILL_FILE`: a JSON list of `{"activity": name, "at": "start"|"end", "occurrence": n}`. In the n-th
  execution of that activity (from 1; counted over restarts in `<file>.counts`) the app's process kills itself before
  the function runs ("start") or after it returned and before that is reported ("end"); the entry is removed first.
  With `"until": path` the execution pauses there until that path exists, instead of a kill.
- `LOCAL_HOST_TWICE=1`: every activity's function runs twice in a row; the second outcome counts.
- `LOCAL_HOST_LOG_LEVEL`: Trace, Debug, Information, Warning, Error, Critical, None; at Debug everything is written.
  Without it host.json's logging.logLevel holds: Host for the host, Function for the app, else default (Information).
"""
