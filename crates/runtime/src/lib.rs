//! What every long-running role shares: telemetry, admin server, readiness, shutdown, tasks.
