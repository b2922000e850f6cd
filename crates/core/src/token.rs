//! What to do about a cached token: serve, refresh ahead, join, fetch?
