//! What does this HTTP request ask for?
